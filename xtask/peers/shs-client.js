// secret-handshake and pull-box-stream over TCP as client: dials, sends `--send` bytes, reads until the other side ends.
// --seed HEX --network BASE64 --host HOST --port PORT --key BASE64 (the server's) --send N [--end goodbye|error|cut]
'use strict'
const net = require('net')
const { args, say, project, identity, exitWithParent, reportCrashes, bytes, summary } = require('./lib/peer')

const { seed, network, host = '127.0.0.1', port, key, send = '0', end = 'goodbye' } = args()
reportCrashes()
exitWithParent()
const load = project('core')
const pull = load('pull-stream')
const toPull = load('stream-to-pull-stream')
const SHS = load('secret-handshake')

const handshake = SHS.createClient(identity(seed), Buffer.from(network, 'base64'), 5000)
const socket = net.connect(port, host, () => socket.setNoDelay(true))
const duplex = toPull.duplex(socket)
const done = (outcome) => { say('result', { case: 'echo', outcome }); process.exit(0) }

pull(duplex.source, handshake(Buffer.from(key, 'base64'), (err, stream) => {
  if (err) return done({ refused: err.message })
  say('handshake', { peer: stream.remote.toString('base64') })
  const wanted = Number(send)
  const received = []
  let length = 0
  let finish = () => {}

  // Sends everything, then ends once it has come back: with a goodbye, with an error (no goodbye), or by cutting the socket.
  const pieces = Array.from({ length: Math.ceil(wanted / 65536) }, (_, i) => i)
  const payload = bytes(wanted)
  pull((abort, cb) => {
    if (abort) return cb(abort)
    if (pieces.length) { const i = pieces.shift(); return cb(null, payload.subarray(i * 65536, (i + 1) * 65536)) }
    finish = () => end === 'cut' ? socket.destroy() : cb(end === 'error' ? new Error('client breaks') : true)
    if (length >= wanted) finish()
  }, stream.sink)

  pull(stream.source, pull.drain((chunk) => {
    received.push(chunk)
    length += chunk.length
    if (length >= wanted) finish()
  }, (err) => done({ echo: summary(Buffer.concat(received)), error: err && err !== true ? err.message : null })))
}), duplex.sink)
