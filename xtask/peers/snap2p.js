// A stand-in for the reference of SNaP2P, which is not on npm: our reading of recorded conversations, see lib/snap2p. It does what
// lines of standard input say, each a JSON object with `do`:
//   replay    plays the recorded conversation of the file `vectors` with itself, and tells whether every frame is the recorded one
//   listen    serves as `node`; tells `listening`, and `met` for each who comes
//   dial      as `node` to `port`, with `token` or without; tells `met`, then the results of the named `cases`, and closes
// A node is {secret, seed, network, visibility, allow, tokens, caps, hasty, patient, pingInterval, attested}. Attested as somebody else:
// {secret, seed, age}, of which what is missing is true.
'use strict'
const { say, reportCrashes, exitWithParent } = require('./lib/peer')
const fs = require('fs')
const net = require('net')
const { Node, connect, prepare } = require('./lib/snap2p/session')
const identity = require('./lib/snap2p/identity')
const noise = require('./lib/snap2p/noise')
const { cases, serve, watch, ask } = require('./lib/snap2p/services')
const { replay } = require('./lib/snap2p/replay')

reportCrashes()
exitWithParent()

const hex = (text) => Buffer.from(text, 'hex')
// How long one case may take: a quarter of what the harness waits for a line.
const DEADLINE = 15000

function node ({ secret, seed, attested, ...options }) {
  const made = new Node({ ...options, secret: hex(secret), seed: hex(seed) })
  if (attested) {
    made.attestation = identity.attest({
      secret: hex(attested.secret || secret),
      network: made.network,
      node: noise.nodeKey(hex(attested.seed || seed)).public,
      nonce: Buffer.alloc(32, 7),
      now: Math.floor(Date.now() / 1000) - (attested.age || 0)
    })
    if (attested.principal) made.attestation.p = attested.principal
  }
  return made
}

// How a meeting came out, in the form in which it is judged.
const met = (session) => ({ peer: session.peer })
const failed = ({ code, message, reason }) => code !== undefined ? { code, reason } : { failed: message }

function listen ({ node: options }) {
  const own = node(options)
  const server = net.createServer((socket) => {
    prepare(socket).on('error', () => {})
    own.accept(socket).then((session) => {
      serve(session)
      session.on('close', () => say('closed'))
      say('met', { outcome: met(session), capabilities: session.capabilities, visibility: session.visibility, lost: session.lost })
    }, (error) => say('met', { outcome: failed(error) }))
  })
  server.listen(0, '127.0.0.1', () => say('listening', { port: server.address().port, principal: own.principal }))
}

const within = (promise) => {
  let timer
  const late = new Promise((resolve) => { timer = setTimeout(resolve, DEADLINE, { timeout: true }) })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

async function dial ({ node: options, port, token, cases: names = [] }) {
  const own = node(options)
  const socket = await connect('127.0.0.1', port)
  let session
  try {
    session = await own.dial(socket, { token: token && hex(token) })
  } catch (error) {
    socket.destroy()
    return say('met', { outcome: failed(error) })
  }
  const faults = []
  session.on('fault', (error) => faults.push(error.message))
  const wait = watch(session)
  say('met', { outcome: met(session), capabilities: session.capabilities, visibility: session.visibility })
  const closed = new Promise((resolve) => session.on('close', resolve))
  await session.ready
  for (const name of names) {
    const outcome = await within(Promise.race([cases[name](session, wait), closed.then(() => ({ closed: true, faults }))]))
    say('result', { case: name, outcome })
  }
  // One call shows whether the session lives.
  if (names.length === 0) say('alive', { outcome: await within(Promise.race([ask(session, 'echo', 'alive').then(String), closed.then(() => 'closed')])) })
  session.close()
  say('done')
}

const commands = {
  listen,
  dial,
  replay: async ({ vectors }) => say('replayed', { outcome: await replay(JSON.parse(fs.readFileSync(vectors))) })
}

let rest = ''
process.stdin.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop()
  for (const line of lines.filter(Boolean)) {
    const { do: name, ...options } = JSON.parse(line)
    Promise.resolve(commands[name](options)).catch((error) => setImmediate(() => { throw error }))
  }
})
