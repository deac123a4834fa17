// What carries the connections of a node, as plugins of secret-stack: it brings net and shs along, multiserver has the rest.
'use strict'
const fs = require('fs')
const path = require('path')
const { freePort } = require('./stack')

// One plugin each, for multiserver as that project has it. `publicKey`: whom noauth takes every caller for.
exports.plugins = function (load, publicKey) {
  const WebSockets = load('multiserver/plugins/ws')
  const Noauth = load('multiserver/plugins/noauth')
  const transport = (name, create) => ({ name, version: '1.0.0', init: (api) => { api.multiserver.transport({ name, create }) } })
  return [
    transport('ws', (options) => WebSockets(options)),
    transport('unix', (options) => fresh(load, 'multiserver/plugins/unix-socket')(options)),
    {
      name: 'noauth',
      version: '1.0.0',
      init: (api) => { api.multiserver.transform({ name: 'noauth', create: () => Noauth({ keys: { publicKey } }) }) }
    }
  ]
}

// The Unix plugin remembers for its whole module that it listens already; a module of its own lets each node listen.
function fresh (load, name) {
  delete load.cache[load.resolve(name)]
  return load(name)
}

// Where to listen, and all that can be dialled. `listen` has any of net, ws, unix and noauth, which is unix without a
// handshake; `folder` is for the sockets of unix. Only net and ws tell more than one scope, as unix knows device alone.
exports.connections = async function (listen, folder) {
  const tcp = async () => ({ scope: ['device', 'local'], transform: 'shs', host: '127.0.0.1', port: await freePort() })
  const unix = (transform) => {
    const own = path.join(folder, transform)
    fs.mkdirSync(own, { recursive: true })
    return { scope: 'device', transform, path: own }
  }
  const incoming = {}
  for (const kind of listen) {
    if (kind === 'net' || kind === 'ws') incoming[kind] = [await tcp()]
    if (kind === 'unix') incoming.unix = [...incoming.unix || [], unix('shs')]
    if (kind === 'noauth') incoming.unix = [...incoming.unix || [], unix('noauth')]
  }
  // An outgoing unix plugin without a path makes a folder that nobody removes. What shs cannot read, noauth takes.
  const dials = (transform) => ({ transform, path: folder })
  const outgoing = { net: [{ transform: 'shs' }], ws: [{ transform: 'shs' }], unix: [dials('shs'), dials('noauth')] }
  return { incoming, outgoing }
}
