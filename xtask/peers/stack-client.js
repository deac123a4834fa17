// Runs the cases from a secret-stack node. --v 8|6 --seed HEX --network BASE64 --address net:HOST:PORT~shs:KEY --serves js|ours
// [--only goodbye]. With ~shs:KEY:SEED it comes as the identity of that seed.
'use strict'
const { args, identity, exitWithParent, reportCrashes } = require('./lib/peer')
const cases = require('./lib/run-cases')
const testApi = require('./lib/test-api')
const sockets = require('./lib/sockets')
const stack = require('./lib/stack')

const { v = '8', seed, network, address, serves = 'ours', only } = args()
reportCrashes()
exitWithParent()

// A node takes its peers to have its own manifest, so the plugin declares what the cases call.
const plugin = {
  name: 'test',
  version: '1.0.0',
  manifest: cases.manifest(cases.load()).test,
  permissions: { anonymous: { allow: Object.keys(testApi.callerManifest.test) } },
  init: () => {
    const { echo, count } = testApi.create()
    return { echo, count }
  }
}

async function main () {
  const app = stack.start({ v, identity: identity(seed), network, port: await stack.freePort(), plugin })
  const dial = () => new Promise((resolve, reject) => {
    app.connect(address, (err, rpc) => {
      if (err) return reject(err)
      const socket = sockets.newest()
      resolve({ rpc, destroy: () => socket.destroy() })
    })
  })
  await cases.run(dial, { serves, bootstraps: false, only })
  process.exit(0)
}

main()
