// The sockets of this process. The packages open and accept them without showing them, and to cut one there is no other way.
'use strict'
const channels = require('diagnostics_channel')

const sockets = new Set()

for (const made of ['net.client.socket', 'net.server.socket']) {
  channels.subscribe(made, ({ socket }) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
}

exports.destroyAll = () => { for (const socket of sockets) socket.destroy() }

exports.newest = () => [...sockets].pop()
