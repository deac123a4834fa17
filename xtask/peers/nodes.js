// Nodes of secret-stack that do what they are told by lines on standard input. --v 8|6
// In: { id, do: 'start', node, ...options of lib/node.js }, then { id, do, node, ... } for each command there.
// Out: { event: 'answer', id, outcome } for each, and { event: 'node', node, what, ... } as things happen to a node.
'use strict'
const readline = require('readline')
const { args, say, exitWithParent, reportCrashes, errorSummary } = require('./lib/peer')
const node = require('./lib/node')

const { v = '8' } = args()
reportCrashes()
exitWithParent()

const nodes = new Map()

async function obey ({ do: what, node: name, ...rest }) {
  if (what === 'start') {
    nodes.set(name, await node.start(v, rest, (what, fields) => say('node', { node: name, what, ...fields })))
    return { id: nodes.get(name).id() }
  }
  return nodes.get(name)[what](rest)
}

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, ...command } = JSON.parse(line)
  const answer = (outcome) => say('answer', { id, outcome })
  obey(command).then(answer, (err) => answer({ thrown: errorSummary(err) }))
})

say('ready')
