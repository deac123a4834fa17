// The two releases of secret-stack that are in use, behind one signature.
'use strict'
const net = require('net')
const { project } = require('./peer')

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

// A started node with one plugin, `test`.
exports.start = function ({ v, identity, network, port, plugin }) {
  const SecretStack = project(v === '6' ? 'stack6' : 'core')('secret-stack')
  const net = { scope: ['device', 'local'], transform: 'shs', host: '127.0.0.1', port }
  const config = {
    caps: { shs: network },
    keys: identity.ssb,
    timers: { inactivity: 60000, handshake: 5000 },
    connections: { incoming: { net: [net] }, outgoing: { net: [{ transform: 'shs' }] } }
  }
  const app = v === '6'
    ? SecretStack({ caps: config.caps }).use(plugin)(config)
    : SecretStack({ global: { caps: config.caps } }).use(plugin)({ global: config })
  return app
}

// The sockets that multiserver opens or accepts, which it does not show: the only way to cut one.
exports.watchSockets = function () {
  const sockets = new Set()
  const watch = (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  const { connect, createServer } = net
  net.connect = (...args) => watch(connect(...args))
  net.createServer = (options, onConnection) => createServer(options, (socket) => onConnection(watch(socket)))
  return {
    destroyAll: () => { for (const socket of sockets) socket.destroy() },
    newest: () => [...sockets].pop()
  }
}
