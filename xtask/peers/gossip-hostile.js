// A peer of secure-gossip that misbehaves, over TCP. --manner NAME --dial HOST:PORT [--seed HEX] [--count N]
//
// It reads lines as any peer does, unless its manner is not to read, and does its worst with them. What it does is told as
// events; `done` comes when it has done it `count` times.
'use strict'
const { args, say, project, identity, exitWithParent, reportCrashes } = require('./lib/peer')
const net = require('net')
const Gossip = project('sg')('secure-gossip')

const { manner, dial, seed = 'ee'.repeat(32), count = '1' } = args()
const times = Number(count)
reportCrashes()
exitWithParent()

// Signed messages of its own, with any seq.
function signed (data, seq, by = seed) {
  const author = new Gossip({ keys: identity(by).ssb, interval: -1 })
  author.seq = seq
  author.publish(data)
  return author.store[0]
}

let did = 0
const done = () => { if (++did === times) say('done', { did }) }

// What each manner does once with a connection, and with each line that it hears.
const manners = {
  // Nothing is ever read, so whatever the other side sends stays with it or is dropped there.
  unread: { connected: (socket) => { socket.pause(); done() } },
  // Every message goes back and on with the highest number there is: who believes it hears no more of that author.
  'rewritten seq': {
    heard: (socket, message) => { socket.write(JSON.stringify({ ...message, seq: Number.MAX_SAFE_INTEGER }) + '\n'); done() }
  },
  // Every message again and again, with rising numbers.
  replay: {
    heard: (socket, message) => {
      for (let i = 1; i <= 20; i++) socket.write(JSON.stringify({ ...message, seq: message.seq + i * 1000 }) + '\n')
      done()
    }
  },
  // Messages are kept until there are five, and go back last first.
  reorder: {
    kept: [],
    heard (socket, message, line) {
      this.kept.push(line)
      if (this.kept.length < 5) return
      socket.write(this.kept.reverse().map((line) => line + '\n').join(''))
      this.kept = []
      done()
    }
  },
  // Sound messages of its own, far more than anybody wants.
  flood: {
    connected: (socket) => {
      const lines = Array.from({ length: times }, (_, seq) => signed({ flood: seq }, seq))
      const next = () => {
        while (did < times) {
          const sent = socket.write(lines[did])
          done()
          if (!sent) return socket.once('drain', next)
        }
      }
      next()
    }
  },
  // Sound messages, each of another author, which cost their maker nothing.
  'many authors': {
    connected: (socket) => {
      for (let i = 0; i < times; i++) {
        const by = i.toString(16).padStart(64, 'a')
        socket.write(signed({ author: i }, i, by))
        done()
      }
    }
  },
  // The connection ends in the middle of a line.
  'closes mid-line': {
    connected: (socket) => {
      const line = signed({ never: 'ends' }, 0)
      socket.end(line.slice(0, line.length / 2), done)
    }
  },
  // Lines that are no messages, and a sound one behind them.
  garbage: {
    connected: (socket) => {
      const line = JSON.parse(signed({ sound: false }, 0))
      const other = 'A'.repeat(43) + '=.ed25519'
      const lines = [
        '', ' ', 'x', '{', '}', '[]', 'null', '0', '""', '{}', '{"data":null}', '{"data":{}}', '{"data":{"signature":1}}',
        '{"sg2":1}', '{"sg2":{"v":"x"}}', '{"sg2":{"v":99,"node":"?","caps":{}}}',
        '[' .repeat(100000), '{"data":'.repeat(50000), '\u0000\u0001', '\ufffd\ufffe', '"' + '\\u'.repeat(999),
        JSON.stringify({ ...line, public: other }), JSON.stringify({ ...line, data: { ...line.data, more: 1 } }),
        JSON.stringify({ ...line, data: { ...line.data, signature: 'AA==.sig.ed25519' } }),
        JSON.stringify({ ...line, seq: -1 }).slice(0, -1), JSON.stringify({ ...line, public: 7 })
      ]
      socket.write(lines.join('\n') + '\n')
      socket.write(Buffer.from([0xff, 0xfe, 0x80, 0x0a, 0xc0, 0x80, 0x0a]))
      socket.write(signed({ sound: true }, 1))
      done()
    }
  },
  // A line longer than any message, in pieces, without an end for a long time.
  'huge line': {
    connected: (socket) => {
      const piece = 'x'.repeat(1 << 16)
      let pieces = 0
      const next = () => {
        while (pieces < 16 * times) {
          const sent = socket.write(pieces++ === 0 ? '{"data":{"text":"' + piece : piece)
          if (pieces % 16 === 0) done()
          if (!sent) return socket.once('drain', next)
        }
        socket.write('"}}\n')
      }
      next()
    }
  },
  // It says that it is of our kind, switches, and then sends what is no frame.
  'broken frames': {
    connected: (socket) => {
      socket.write('{"sg2":{"v":1,"node":"' + identity(seed).ssb.public + '","caps":["plum","vv","rbsr"]}}\n')
      socket.write('{"sg2":{"switch":true}}\n')
      socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
      socket.write(Buffer.alloc(1 << 16, 0xc1))
      done()
    }
  }
}

const act = manners[manner]
if (!act || !dial) {
  console.error(`usage: node gossip-hostile.js --manner ${Object.keys(manners).join('|')} --dial HOST:PORT`)
  process.exit(2)
}
const [, host, port] = /^(.*):(\d+)$/.exec(dial)
const socket = net.connect(Number(port), host, () => {
  say('connected')
  if (act.connected) act.connected(socket)
})
socket.on('error', (error) => say('broken', { message: error.message }))
socket.on('close', () => say('closed'))
if (manner !== 'unread') {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    for (const line of lines) {
      let message
      try { message = JSON.parse(line) } catch { continue }
      if (act.heard && message && message.data) act.heard(socket, message, line)
    }
  })
}
