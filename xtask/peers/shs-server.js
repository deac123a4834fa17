// secret-handshake and pull-box-stream over TCP; sends back every byte it decrypts. --seed HEX --network BASE64
// [--refuse BASE64: a client key to turn away, by a plain no, or with --refuse-how error because asking failed]
// [--how error: end with an error, so without a goodbye, after the first bytes]
'use strict'
const net = require('net')
const { args, say, project, identity, exitWithParent, reportCrashes } = require('./lib/peer')

const { seed, network, refuse, 'refuse-how': refuseHow, how } = args()
reportCrashes()
exitWithParent()
const load = project('core')
const pull = load('pull-stream')
const toPull = load('stream-to-pull-stream')
const SHS = load('secret-handshake')

const me = identity(seed)
const authorize = (key, cb) => {
  if (key.toString('base64') !== refuse) return cb(null, true)
  refuseHow === 'error' ? cb(new Error('cannot decide')) : cb(null, false)
}
const handshake = SHS.createServer(me, authorize, Buffer.from(network, 'base64'), 5000)

net.createServer((socket) => {
  socket.setNoDelay(true)
  const duplex = toPull.duplex(socket)
  pull(duplex.source, handshake((err, stream) => {
    if (err) return say('refused', { message: err.message })
    say('handshake', { peer: stream.remote.toString('base64') })
    let bytes = 0
    pull(
      stream.source,
      pull.map((chunk) => { bytes += chunk.length; return chunk }),
      how === 'error' ? breakAfter(1) : pull.through(),
      pull.through(null, (end) => say('end', { bytes, error: end && end !== true ? end.message : null })),
      stream.sink
    )
  }), duplex.sink)
}).listen(0, '127.0.0.1', function () {
  say('listening', { host: '127.0.0.1', port: this.address().port, key: me.publicKey.toString('base64') })
})

// Passes `n` chunks, then ends the stream with an error.
function breakAfter (n) {
  return (read) => (abort, cb) => abort || n-- > 0 ? read(abort, cb) : read(true, () => cb(new Error('broken on purpose')))
}
