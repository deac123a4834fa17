// What the one end does with the streams of the other, by label; and what the other asks of it. `ours.rs` does the same in Rust.
'use strict'
const { bytes, summary } = require('../peer')
const { T } = require('./session')

const MANY = 32 << 20

const collect = (stream) => new Promise((resolve) => {
  const chunks = []
  stream.on('data', (chunk) => chunks.push(chunk))
  stream.on('end', () => resolve(Buffer.concat(chunks)))
  stream.on('close', () => resolve(Buffer.concat(chunks)))
})

const length = (data) => String(data.length)

// Counts of what a session has heard, for those who wait for it.
function watch (session) {
  const heard = { [T.PING]: 0, [T.PONG]: 0 }
  session.on('message', ({ t }) => { if (t in heard) heard[t]++ })
  return (kind, count) => new Promise((resolve) => {
    const look = () => { if (heard[kind] >= count) resolve(session.off('message', look)) }
    session.on('message', look)
    look()
  })
}

async function write (stream, data) {
  // The reference's own streams never wait; a chunk at a time is how its users write.
  for (let at = 0; at < data.length; at += 65536) stream.write(data.subarray(at, at + 65536))
  stream.end()
}

const services = {
  echo: (stream) => stream.pipe(stream),
  // As the reference's demonstration, whose label this is: it never closes its half.
  message: (stream) => stream.on('data', (chunk) => stream.write(chunk)),
  after: async (stream) => stream.end(length(await collect(stream))),
  first: async (stream, session) => {
    stream.end('bye')
    const heard = await collect(stream)
    session.open('heard').end(length(heard))
  },
  sum: async (stream) => stream.end(JSON.stringify(summary(await collect(stream)))),
  give: async (stream) => write(stream, bytes(MANY)),
  back: async (stream, session) => {
    const other = session.open('heard')
    other.end('hello')
    stream.end(await collect(other))
  },
  break: (stream) => stream.destroy(new Error('broken on purpose')),
  pinged: async (stream, session, wait) => {
    await wait(T.PING, 1)
    stream.end('1')
  },
  ponged: async (stream, session, wait) => {
    await wait(T.PONG, 3)
    stream.end('3')
  }
}

function serve (session) {
  const wait = watch(session)
  session.on('stream', (stream) => {
    const service = services[stream.label]
    if (service) return service(stream, session, wait)
    stream.resume()
    stream.end(stream.label === '' ? 'no label' : stream.label)
  })
}

async function ask (session, label, data = '') {
  const stream = session.open(label)
  const answer = collect(stream)
  // Until then it counts among the hundred.
  const closed = new Promise((resolve) => stream.on('close', resolve))
  await write(stream, Buffer.from(data))
  await closed
  return answer
}

const text = async (answer) => ({ answer: (await answer).toString() })

// The next stream that the other side opens, answered with its length.
const nextStream = (session) => new Promise((resolve) => session.once('stream', async (stream) => {
  const heard = await collect(stream)
  stream.end(length(heard))
  resolve(heard.toString())
}))

const next = (session, wanted) => new Promise((resolve) => {
  const look = (message) => {
    if (!wanted(message)) return
    session.off('message', look)
    resolve(message)
  }
  session.on('message', look)
})

// All streams of the cases before have closed, which takes a moment after their answers: they count among the hundred.
const settled = (session) => Promise.all([...session.streams.values()].map((stream) => new Promise((resolve) => {
  stream.on('close', resolve)
})))

const closing = (session, id) => next(session, ({ t, sid }) => t === T.CLOSE && sid === id)

const cases = {
  'an echo': (session) => text(ask(session, 'echo', 'ping over a stream')),
  'an echo of nothing': (session) => text(ask(session, 'echo')),
  'an echo of 300 KiB': async (session) => summary(await ask(session, 'echo', bytes(300 << 10))),
  'an echo of 8 MiB': async (session) => summary(await ask(session, 'echo', bytes(8 << 20))),
  'a label in other scripts': (session) => text(ask(session, 'naïve ☕')),
  'no label': (session) => text(ask(session, '')),
  'an answer behind the end of the question': (session) => text(ask(session, 'after', 'question')),
  'an answer that ends before the question': async (session) => {
    const stream = session.open('first')
    const answer = await collect(stream)
    const heard = nextStream(session)
    stream.end('still here')
    return { answer: answer.toString(), heard: await heard }
  },
  'a stream that the other side opens': async (session) => {
    const heard = nextStream(session)
    return { ...await text(ask(session, 'back')), heard: await heard }
  },
  '32 MiB to the other side': (session) => text(ask(session, 'sum', bytes(MANY))),
  '32 MiB from the other side': async (session) => summary(await ask(session, 'give')),
  '100 streams at once': async (session) => {
    await settled(session)
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => ask(session, 'echo', `stream ${i}`)))
    return { right: answers.filter((answer, i) => answer.toString() === `stream ${i}`).length }
  },
  'a stream that is broken off': async (session) => {
    const stream = session.open('break')
    const closed = closing(session, stream.id)
    await collect(stream)
    return { code: (await closed).ec }
  },
  'the other side says PING': async (session, wait) => {
    await wait(T.PING, 1)
    return { pings: 1 }
  },
  'PING is answered': async (session, wait) => {
    await wait(T.PONG, 3)
    return { pongs: 3 }
  },
  'data of no stream': async (session) => {
    const closed = closing(session, 4000)
    session.send({ t: T.DATA, sid: 4000, d: Buffer.from('x') })
    return { code: (await closed).ec }
  },
  'one stream more than 100': async (session) => {
    await settled(session)
    const streams = Array.from({ length: 100 }, () => session.open('after'))
    const id = session.nextStream
    session.nextStream += 2
    const closed = closing(session, id)
    session.send({ t: T.OPEN, sid: id })
    const { ec } = await closed
    const answers = await Promise.all(streams.map((stream) => {
      const answer = collect(stream)
      stream.end('x')
      return answer
    }))
    return { code: ec, right: answers.filter((answer) => answer.toString() === '1').length }
  },
  'a write of 4 MiB in one frame': async (session) => {
    const stream = session.open('after')
    const answer = collect(stream)
    stream.end(bytes(4 << 20))
    return { answer: (await answer).toString() }
  },
  'a message of a type that nobody knows': async (session) => {
    session.send({ t: 0x77 })
    return text(ask(session, 'echo', 'still here'))
  }
}

module.exports = { ask, cases, serve, watch }
