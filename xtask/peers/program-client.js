// Calls `handfast serve` as a secret-stack node would. --seed HEX --network BASE64 --address net:HOST:PORT~shs:KEY
'use strict'
const { args, say, project, identity, exitWithParent, reportCrashes, errorSummary } = require('./lib/peer')
const stack = require('./lib/stack')

const { seed, network, address } = args()
reportCrashes()
exitWithParent()
const load = project('core')
const pull = load('pull-stream')
const Ping = load('pull-ping')

// What a node calls of its peers it has to have itself, in name at least; a plugin without a name puts its methods at the root.
const plugin = {
  version: '1.0.0',
  manifest: {
    whoami: 'sync',
    whoareyou: 'sync',
    add: 'sync',
    echo: 'async',
    fail: 'async',
    bytes: 'async',
    missing: 'async',
    count: 'source',
    shout: 'duplex',
    gossip: { ping: 'duplex' },
    notes: { add: 'sink', list: 'source' }
  },
  init: () => ({})
}

const unary = (fn, ...args) => new Promise((resolve) => fn(...args, (err, value) => resolve(err ? { error: errorSummary(err) } : { value })))
const collect = (source) => new Promise((resolve) => pull(source, pull.collect((err, items) => resolve(err ? { error: errorSummary(err) } : { items }))))

async function main () {
  const app = stack.start({ v: '8', identity: identity(seed), network, port: await stack.freePort(), plugin })
  const rpc = await new Promise((resolve, reject) => app.connect(address, (err, rpc) => err ? reject(err) : resolve(rpc)))
  const result = async (name, outcome) => say('result', { case: name, outcome: await outcome })

  await result('whoami', unary(rpc.whoami))
  await result('whoareyou', unary(rpc.whoareyou))
  await result('add', unary(rpc.add, 2, 0.5))
  await result('echo', unary(rpc.echo, { kia: ['ora', null] }))
  await result('fail', unary(rpc.fail, 'as asked'))
  await result('missing', unary(rpc.missing))
  await result('bytes', unary(rpc.bytes, 70000).then(({ value }) => ({ buffer: Buffer.isBuffer(value), length: value.length })))
  await result('count', collect(rpc.count(5)))
  await result('shout', collect(pull(pull.values(['kia', 'ora']), rpc.shout(() => {}))))
  await result('notes.add', new Promise((resolve) => pull(pull.values([1, { two: 2 }]), rpc.notes.add((err) => resolve(err && err !== true ? { error: errorSummary(err) } : { end: true })))))
  await result('notes.list', collect(rpc.notes.list()))
  await result('gossip.ping', ping(rpc))
  await result('close', new Promise((resolve) => rpc.close((err) => resolve(err && err !== true ? { error: errorSummary(err) } : { closed: true }))))
  say('done')
  process.exit(0)
}

// pull-ping serves at once and measures when the volley comes back.
function ping (rpc) {
  return new Promise((resolve) => {
    const measure = Ping({ serve: true, timeout: 300000 })
    const remote = rpc.gossip.ping({ timeout: 300000 }, (err) => err && err !== true && resolve({ error: errorSummary(err) }))
    const clocks = []
    pull(measure.source, remote.sink)
    pull(remote.source, pull.map((clock) => {
      clocks.push(clock)
      setImmediate(() => {
        resolve({ volleys: clocks.length, numbers: clocks.every(Number.isFinite), measured: measure.rtt.count })
        measure.source.end()
      })
      return clock
    }), measure.sink)
  })
}

main()
