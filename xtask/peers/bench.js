// One round of measurements of the JavaScript packages: one JSON line each, { name: "WHAT/WHO", value, unit }. Client and server share
// this one process and its thread, over TCP loopback without Nagle's delay, so that each figure pays for both ends.
'use strict'
const net = require('net')
const { project, identity } = require('./lib/peer')
const load = project('core')
const pull = load('pull-stream')
const toPull = load('stream-to-pull-stream')
const SHS = load('secret-handshake')
const Mux = load('muxrpc')

const HANDSHAKES = 300
const BYTES = 32 * 1024 * 1024
const SEQUENTIAL = 5000
const PARALLEL = 20000
const IN_FLIGHT = 64
const ITEMS = 30000

const network = Buffer.alloc(32, 7)
const alice = identity('41'.repeat(32))
const bob = identity('42'.repeat(32))
const server = SHS.createServer(bob, (_key, cb) => cb(null, true), network, 10000)
const client = SHS.createClient(alice, network, 10000)

const report = (what, value, unit) => console.log(JSON.stringify({ name: what + '/js', value, unit }))

// Seconds that `work` takes.
async function time (work) {
  const start = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - start) / 1e9
}

// Calls `onStream` with every authenticated stream, and resolves to { dial, close }.
function listen (onStream) {
  return new Promise((resolve) => {
    const listener = net.createServer((socket) => {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      const duplex = toPull.duplex(socket)
      pull(duplex.source, server((err, stream) => { if (!err) onStream(stream) }), duplex.sink)
    })
    const dial = () => new Promise((resolve, reject) => {
      const socket = net.connect(listener.address().port, '127.0.0.1')
      socket.setNoDelay(true)
      socket.on('error', () => {})
      const duplex = toPull.duplex(socket)
      pull(duplex.source, client(bob.publicKey, (err, stream) => err ? reject(err) : resolve({ stream, socket })), duplex.sink)
    })
    listener.listen(0, '127.0.0.1', () => resolve({ dial, close: () => listener.close() }))
  })
}

async function handshakes () {
  const { dial, close } = await listen(() => {})
  const run = async (n) => { for (let i = 0; i < n; i++) (await dial()).socket.destroy() }
  await run(HANDSHAKES / 10)
  report('handshakes', HANDSHAKES / await time(() => run(HANDSHAKES)), '/s')
  close()
}

async function boxStream () {
  let done
  const { dial, close } = await listen((stream) => {
    let received = 0
    pull(stream.source, pull.drain((chunk) => { received += chunk.length; if (received >= BYTES) done() }, () => {}))
  })
  const { stream, socket } = await dial()
  const chunk = Buffer.alloc(4096, 1)
  const seconds = await time(() => new Promise((resolve) => {
    done = resolve
    let sent = 0
    pull((abort, cb) => {
      if (abort) return cb(abort)
      if (sent >= BYTES) return
      sent += chunk.length
      // The event loop must turn now and then, or the reading end starves.
      sent % (1 << 20) ? cb(null, chunk) : setImmediate(cb, null, chunk)
    }, stream.sink)
  }))
  report('boxstream_tcp', BYTES / seconds / 1e9, 'GB/s')
  socket.destroy()
  close()
}

async function calls () {
  const manifest = { hello: 'async', items: 'source' }
  const api = {
    hello: (name, cb) => cb(null, 'hello, ' + name),
    items: (n) => { let i = 0; return (abort, cb) => abort || i >= n ? cb(abort || true) : cb(null, { i: i++, text: 'small json item' }) }
  }
  const { dial, close } = await listen((stream) => {
    const rpc = Mux(null, manifest, api)
    pull(stream, rpc.stream, stream)
  })
  const { stream, socket } = await dial()
  const rpc = Mux(manifest, null, {}, null)
  pull(stream, rpc.stream, stream)
  const hello = () => new Promise((resolve, reject) => rpc.hello('world', (err, value) => err ? reject(err) : resolve(value)))
  const worker = async (n) => { for (let i = 0; i < n; i++) await hello() }

  await worker(SEQUENTIAL / 10)
  report('calls_sequential', SEQUENTIAL / await time(() => worker(SEQUENTIAL)), '/s')
  const each = Math.ceil(PARALLEL / IN_FLIGHT)
  const parallel = await time(() => Promise.all(Array.from({ length: IN_FLIGHT }, () => worker(each))))
  report('calls_64_in_flight', each * IN_FLIGHT / parallel, '/s')
  const items = await time(() => new Promise((resolve) => pull(rpc.items(ITEMS), pull.drain(() => {}, resolve))))
  report('source_items', ITEMS / items, '/s')
  socket.destroy()
  close()
}

handshakes().then(boxStream).then(calls).then(() => process.exit(0))
