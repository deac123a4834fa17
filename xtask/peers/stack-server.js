// A secret-stack node with the test methods. --v 8|6 --seed HEX --network BASE64
'use strict'
const { args, say, identity, exitWithParent, reportCrashes } = require('./lib/peer')
const testApi = require('./lib/test-api')
const sockets = require('./lib/sockets')
const stack = require('./lib/stack')
const mux = require('./lib/mux')

const { v = '8', seed, network } = args()
reportCrashes()
exitWithParent()
const me = identity(seed)
const connections = []

const below = (names) => names.filter((name) => name.startsWith('test.')).map((name) => name.slice('test.'.length))
const plugin = {
  name: 'test',
  version: '1.0.0',
  manifest: testApi.manifest.test,
  permissions: { anonymous: { allow: below(testApi.permissions.allow), deny: below(testApi.permissions.deny) } },
  // The cases use one connection at a time, so the newest one is the caller's.
  init: () => testApi.create({
    hangUp: (how) => how === 'socket' ? sockets.destroyAll() : connections.forEach((rpc) => mux.hangUp(rpc, how)),
    caller: () => connections[connections.length - 1]
  })
}

stack.freePort().then((port) => {
  const app = stack.start({ v, identity: me, network, port, plugin })
  app.on('multiserver:listening', () => say('listening', { host: '127.0.0.1', port, key: me.publicKey.toString('base64'), address: app.getAddress('device') }))
  app.on('rpc:connect', (rpc) => {
    say('connected', { id: rpc.id })
    connections.push(rpc)
    rpc.once('closed', () => {
      say('closed', { id: rpc.id })
      connections.splice(connections.indexOf(rpc), 1)
    })
  })
})
