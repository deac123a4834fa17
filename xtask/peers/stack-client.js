// Runs the cases from a secret-stack node. --v 8|6 --seed HEX --network BASE64 --address net:HOST:PORT~shs:KEY --serves js|ours
'use strict'
const { args, identity, exitWithParent, reportCrashes } = require('./lib/peer')
const cases = require('./lib/run-cases')
const stack = require('./lib/stack')

const { v = '8', seed, network, address, serves = 'ours' } = args()
reportCrashes()
exitWithParent()
const sockets = stack.watchSockets()

// A node takes its peers to have its own manifest, so the plugin declares what the cases call.
const plugin = {
  name: 'test',
  version: '1.0.0',
  manifest: cases.manifest(cases.load()).test,
  permissions: { anonymous: { allow: [] } },
  init: () => ({})
}

async function main () {
  const app = stack.start({ v, identity: identity(seed), network, port: await stack.freePort(), plugin })
  const dial = () => new Promise((resolve, reject) => {
    app.connect(address, (err, rpc) => err ? reject(err) : resolve({ rpc, destroy: sockets.destroyAll }))
  })
  await cases.run(dial, { serves })
  process.exit(0)
}

main()
