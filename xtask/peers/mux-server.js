// Serves the test methods with muxrpc over plain TCP: no encryption. --v 8|6 chooses the release of muxrpc.
'use strict'
const net = require('net')
const { args, say, exitWithParent, reportCrashes } = require('./lib/peer')
const testApi = require('./lib/test-api')
const mux = require('./lib/mux')

const { v = '8' } = args()
reportCrashes()
exitWithParent()
const { pull, toPull } = mux.packages(v)

net.createServer((socket) => {
  socket.setNoDelay(true)
  socket.on('error', () => {})
  const api = {
    manifest: () => testApi.manifest,
    test: testApi.create({
      hangUp: (how) => how === 'socket' ? socket.destroy() : mux.hangUp(rpc, how),
      caller: () => rpc
    })
  }
  const rpc = mux.create(v, testApi.callerManifest, testApi.manifest, api, testApi.permissions)
  say('connected')
  rpc.once('closed', () => say('closed'))
  const duplex = toPull.duplex(socket)
  pull(duplex, rpc.stream, duplex)
}).listen(0, '127.0.0.1', function () {
  say('listening', { host: '127.0.0.1', port: this.address().port })
})
