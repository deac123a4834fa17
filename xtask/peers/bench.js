// Measures the JavaScript stack: `node bench.js handshake|boxstream|mux|node [N]`. One JSON object a line.
//
// Both ends run in this one process over TCP on the loopback interface, without Nagle's algorithm, so each figure pays for
// both ends on one core, as the figures of ours do that it is compared with.
'use strict'

const { createRequire } = require('module')
const net = require('net')
const path = require('path')
const fromCore = createRequire(path.join(__dirname, 'core', 'package.json'))
const crypto = require('crypto')
const muxrpc = fromCore('muxrpc')
const pull = fromCore('pull-stream')
const secretHandshake = fromCore('secret-handshake')
const toPull = fromCore('stream-to-pull-stream')
const chloride = createRequire(fromCore.resolve('secret-handshake'))('chloride')
const { identity } = require('./lib/peer')
const stack = require('./lib/stack')

const network = Buffer.alloc(32, 7)
const alice = chloride.crypto_sign_seed_keypair(crypto.randomBytes(32))
const bob = chloride.crypto_sign_seed_keypair(crypto.randomBytes(32))
const allow = (_peer, cb) => cb(null, true)
const serverSide = secretHandshake.createServer(bob, allow, network, 10000)
const clientSide = secretHandshake.createClient(alice, network, 10000)

const seconds = () => Number(process.hrtime.bigint()) / 1e9
const report = (name, value, unit) => console.log(JSON.stringify({ name: `js: ${name}`, value, unit }))

// Serves each connection, after its handshake, with `onStream`; resolves to what dials it.
function serve(onStream) {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      const plain = toPull.duplex(socket)
      pull(plain.source, serverSide((error, stream) => { if (!error) onStream(stream) }), plain.sink)
    })
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      resolve({ dial: () => dial(port), close: () => server.close() })
    })
  })
}

function dial(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    socket.on('error', () => {})
    const plain = toPull.duplex(socket)
    const shaken = (error, stream) => (error ? reject(error) : resolve({ stream, hangUp: () => socket.destroy() }))
    pull(plain.source, clientSide(bob.publicKey, shaken), plain.sink)
  })
}

// One connection after the other, connecting included.
async function handshake(count) {
  const server = await serve(() => {})
  const shake = async () => (await server.dial()).hangUp()
  for (let i = 0; i < count / 10; i++) await shake()
  const start = seconds()
  for (let i = 0; i < count; i++) await shake()
  report('handshake over TCP', count / (seconds() - start), '1/s')
  server.close()
}

async function boxstream(megabytes) {
  await transfer('tcp, 4 KiB writes', 4096, megabytes)
  await transfer('tcp, 64 KiB writes', 65536, megabytes)
}

async function transfer(name, piece, megabytes) {
  const record = Buffer.alloc(piece, 1)
  const total = megabytes * 1e6
  let finished
  const received = new Promise((resolve) => { finished = resolve })
  const server = await serve((stream) => {
    let count = 0
    let start = 0
    pull(stream.source, pull.drain((data) => {
      if (count === 0) start = seconds()
      count += data.length
      if (count >= total) finished(count / (seconds() - start) / 1e6)
    }, () => {}))
  })
  const { stream, hangUp } = await server.dial()
  let sent = 0
  pull((end, cb) => {
    if (end) return cb(end)
    if (sent >= total) return
    sent += record.length
    // Now and then the reading end must get its turn.
    if (sent % (1 << 20) === 0) setImmediate(cb, null, record)
    else cb(null, record)
  }, stream.sink)
  report(name, await received, 'MB/s')
  hangUp()
  server.close()
}

const manifest = { hello: 'async', items: 'source' }
const api = {
  hello: (name, cb) => cb(null, 'hello, ' + name),
  items: (count) => {
    let n = 0
    return (end, cb) => (end || n >= count ? cb(end || true) : cb(null, { i: n++, text: 'small json item' }))
  },
}

async function mux(calls) {
  const server = await serve((stream) => pull(stream, muxrpc(null, manifest, api).stream, stream))
  const { stream, hangUp } = await server.dial()
  const rpc = muxrpc(manifest, null, {}, null)
  pull(stream, rpc.stream, stream)
  const hello = () => new Promise((resolve, reject) => {
    rpc.hello('world', (error, answer) => (error ? reject(error) : resolve(answer)))
  })

  for (let i = 0; i < calls / 10; i++) await hello()
  const start = seconds()
  for (let i = 0; i < calls; i++) await hello()
  report('sequential calls', calls / (seconds() - start), '1/s')

  report('calls, 64 in flight', await inFlight(rpc.hello, calls * 2), '1/s')
  report('source items', await readItems(rpc.items, calls * 3), '1/s')
  hangUp()
  server.close()
}

// Calls with 64 of them under way: how many a second.
async function inFlight(hello, calls) {
  const start = seconds()
  await new Promise((resolve, reject) => {
    let started = 0
    let answered = 0
    const next = () => {
      if (started >= calls) return
      started++
      hello('world', (error) => {
        if (error) return reject(error)
        answered++
        if (answered === calls) resolve()
        else next()
      })
    }
    for (let i = 0; i < 64; i++) next()
  })
  return calls / (seconds() - start)
}

// Reads a source to its end: items a second.
async function readItems(source, items) {
  const start = seconds()
  const seen = await new Promise((resolve, reject) => {
    let count = 0
    pull(source(items), pull.drain(() => { count++ }, (error) => (error ? reject(error) : resolve(count))))
  })
  if (seen !== items) throw new Error(`${seen} of ${items} items`)
  return items / (seconds() - start)
}

// secret-stack with itself. Its multiserver leaves Nagle's algorithm on, with which it mostly waits for delayed
// acknowledgements: one figure is taken so, as it comes, and the others without. Connections are dialled one after the other
// and several at a time, and the best counts.
async function node(calls) {
  const asItComes = await connect(await startNode('11'), await startNode('22'))
  report('node: calls, 64 in flight, as it comes', await inFlight(asItComes.bench.hello, calls / 20), '1/s')

  withoutNagle()
  const alice = await startNode('33')
  const bob = await startNode('44')
  await connections(alice, bob, 1, 20)
  const rates = []
  for (const parallel of [1, 8, 64]) rates.push(await connections(alice, bob, parallel, calls / 50))
  report('node: connections', Math.max(...rates), '1/s')

  const rpc = await connect(alice, bob)
  await inFlight(rpc.bench.hello, calls)
  report('node: calls, 64 in flight', await inFlight(rpc.bench.hello, calls * 2), '1/s')
  report('node: source items', await readItems(rpc.bench.items, calls * 3), '1/s')
  for (let i = 0; i < 3; i++) {
    bob.bench.hello.hook(function (hello, args) {
      const [name, cb] = args
      return name === '' ? cb(new Error('a name is wanted')) : hello.apply(this, args)
    })
  }
  report('node: calls, 64 in flight, three hooks', await inFlight(rpc.bench.hello, calls * 2), '1/s')
}

async function startNode(seed) {
  const allow = Object.keys(manifest)
  const plugin = { name: 'bench', version: '1.0.0', manifest, permissions: { anonymous: { allow } }, init: () => ({ ...api }) }
  const port = await stack.freePort()
  const app = stack.start({ v: '8', identity: identity(seed.repeat(32)), network: network.toString('base64'), port, plugin })
  await new Promise((resolve) => app.on('multiserver:listening', resolve))
  return app
}

const promised = (f) => new Promise((resolve, reject) => {
  f((error, value) => (error && error !== true ? reject(error) : resolve(value)))
})
const connect = (from, to) => promised((cb) => from.connect(to.getAddress('device'), cb))

// Dials, has the manifest answered, and closes, `count` times, so many at a time: connections a second.
async function connections(from, to, parallel, count) {
  let left = count
  const start = seconds()
  await Promise.all(Array.from({ length: parallel }, async () => {
    while (left-- > 0) {
      const rpc = await connect(from, to)
      await promised((cb) => rpc.manifest(cb))
      await promised((cb) => rpc.close(cb))
    }
  }))
  return count / (seconds() - start)
}

// From now on sockets are without Nagle's algorithm, whoever opens or accepts them.
function withoutNagle() {
  const { connect, createServer } = net
  net.connect = (...args) => connect(...args).setNoDelay(true)
  net.createServer = (options, onConnection) => createServer({ ...options, noDelay: true }, onConnection)
}

const cases = { handshake: [handshake, 400], boxstream: [boxstream, 96], mux: [mux, 10000], node: [node, 10000] }
const [run, amount] = cases[process.argv[2]] || []
if (!run) {
  console.error('usage: node bench.js handshake|boxstream|mux|node [N]')
  process.exit(2)
}
run(Number(process.argv[3]) || amount).then(() => process.exit(0), (error) => {
  console.error(error)
  process.exit(1)
})
