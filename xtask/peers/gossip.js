// One secure-gossip node over TCP, as its own examples pipe it.
// --seed HEX (its identity) --interval MS (of its rounds; -1: only by hand) --listen HOST:PORT,… --dial HOST:PORT,… --quiet yes
//
// A line of standard input that is JSON is published. Others are commands:
//   !round               a round by hand
//   !dial HOST:PORT      one more connection
//   !settle              tells when nothing waits for the next round
//   !line SEED SEQ JSON  tells the line in which the package sends this message, and the message as its readers have it
'use strict'
const { args, say, project, identity, exitWithParent, reportCrashes } = require('./lib/peer')
const net = require('net')
const Gossip = project('sg')('secure-gossip')

const { seed = '01'.repeat(32), interval = '100', listen = '', dial = '', quiet } = args()
reportCrashes()
exitWithParent()

const gossip = new Gossip({ keys: identity(seed).ssb, interval: Number(interval) })
let links = 0
let heard = 0

function plug (socket) {
  const link = links++
  socket.setNoDelay(true)
  const stream = gossip.createPeerStream()
  // The package writes to streams that have ended; that is an error of theirs and must not end this process.
  stream.on('error', () => {})
  socket.on('error', () => {})
  socket.on('close', () => say('closed', { link }))
  socket.pipe(stream).pipe(socket)
  say('connected', { link })
}

const connect = (address) => {
  const [, host, port] = /^(.*):(\d+)$/.exec(address)
  const socket = net.connect(Number(port), host, () => plug(socket))
  socket.on('error', (error) => say('unreachable', { address, message: error.message }))
}

// The line as the package itself makes it, and what it makes of the line.
function lineOf (seed, seq, text) {
  const author = new Gossip({ keys: identity(seed).ssb, interval: -1 })
  author.seq = Number(seq)
  author.publish(JSON.parse(text))
  const line = author.store[0].trimEnd()
  const { signature, ...message } = JSON.parse(line).data
  return { line, message: JSON.stringify(message) }
}

function settle () {
  if (gossip.store.length === 0) return say('settled')
  setTimeout(settle, 2)
}

function command (line) {
  const [, name, rest] = /^!(\w+) ?(.*)$/s.exec(line)
  if (name === 'round') return gossip.gossip()
  if (name === 'dial') return connect(rest)
  if (name === 'settle') return settle()
  if (name === 'line') return say('line', lineOf(.../^(\w+) (\S+) (.*)$/s.exec(rest).slice(1)))
  throw new Error(`no command ${name}`)
}

if (!quiet) {
  gossip.on('message', (message, info) => say('heard', { count: ++heard, public: info.public, message }))
}
for (const address of listen.split(',').filter(Boolean)) {
  const [, host, port] = /^(.*):(\d+)$/.exec(address)
  const server = net.createServer(plug)
  server.listen(Number(port), host, () => say('listening', { address: `${host}:${server.address().port}` }))
}
dial.split(',').filter(Boolean).forEach(connect)
// Not by readline, which also ends lines at U+2028, as stands in JSON texts.
let rest = ''
process.stdin.setEncoding('utf8').on('data', (text) => {
  const lines = (rest + text).split('\n')
  rest = lines.pop()
  for (const line of lines.filter(Boolean)) {
    if (line.startsWith('!')) command(line)
    else gossip.publish(JSON.parse(line))
  }
})
say('ready', { public: gossip.keys.public, pid: process.pid })
