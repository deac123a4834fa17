// The two releases of secret-stack that are in use, behind one signature.
'use strict'
const net = require('net')
const { project } = require('./peer')

// The project that pins a release.
exports.project = (v) => project(v === '6' ? 'stack6' : 'core')

// multiserver takes port 0 for "any port I like" and never tells which; so a free one is found for it first. It lies below
// those that systems give to outgoing connections, which could otherwise take it in between.
exports.freePort = function freePort () {
  return new Promise((resolve) => {
    const port = 20000 + Math.floor(Math.random() * 10000)
    const probe = net.createServer()
    probe.once('error', () => resolve(freePort()))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(port)))
  })
}

// A started node that listens on one port of the loopback interface, with one plugin.
exports.start = function ({ v, identity, network, port, plugin }) {
  const net = { scope: ['device', 'local'], transform: 'shs', host: '127.0.0.1', port }
  const connections = { incoming: { net: [net] }, outgoing: { net: [{ transform: 'shs' }] } }
  const timers = { inactivity: 60000, handshake: 5000 }
  return exports.create({ v, keys: identity.ssb, network, timers, connections, plugins: [plugin] })
}

// A started node. Release 8 has what all plugins share under `global`; release 6 has everything in one heap.
exports.create = function ({ v, keys, network, timers, connections, plugins }) {
  const SecretStack = exports.project(v)('secret-stack')
  const caps = { shs: network }
  const config = { caps, keys, timers, connections }
  const factory = v === '6' ? SecretStack({ caps }) : SecretStack({ global: { caps } })
  return factory.use(plugins)(v === '6' ? config : { global: config })
}
