// Runs the cases with muxrpc over plain TCP. --v 8|6 --host HOST --port PORT --serves js|ours
'use strict'
const net = require('net')
const { args, exitWithParent, reportCrashes } = require('./lib/peer')
const cases = require('./lib/run-cases')
const testApi = require('./lib/test-api')
const mux = require('./lib/mux')

const { v = '8', host = '127.0.0.1', port, serves = 'ours' } = args()
reportCrashes()
exitWithParent()
const { pull, toPull } = mux.packages(v)

// With `bootstrap`, what there is to call is asked of the server, and handed to that function.
function dial ({ bootstrap } = {}) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host, () => {
      socket.setNoDelay(true)
      const duplex = toPull.duplex(socket)
      const { echo, count } = testApi.create()
      const rpc = mux.create(v, bootstrap || cases.manifest(cases.load()), testApi.callerManifest, { test: { echo, count } }, null)
      pull(duplex, rpc.stream, duplex)
      resolve({ rpc, destroy: () => socket.destroy() })
    })
    socket.on('error', reject)
  })
}

cases.run(dial, { serves, bootstraps: true }).then(() => process.exit(0))
