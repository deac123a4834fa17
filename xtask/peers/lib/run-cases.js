// Runs a list of cases over a muxrpc connection and reports what came of each. What a case may say stands in ../cases.json.
'use strict'
const fs = require('fs')
const path = require('path')
const { say, expand, summary, errorSummary } = require('./peer')

const TIMEOUT_MS = 15000

exports.load = () => JSON.parse(fs.readFileSync(path.join(__dirname, '..', 'cases.json'), 'utf8'))

// The manifest that a calling peer needs: every method that a case names, with the kind that the case calls it by.
exports.manifest = function (cases) {
  const manifest = { test: { later: 'async', never: 'async', hangUp: 'async', echo: 'async', count: 'source', callBack: 'async' } }
  for (const { method, kind } of cases.calls) {
    const names = method.split('.')
    const last = names.pop()
    const parent = names.reduce((node, name) => (node[name] = node[name] || {}), manifest)
    parent[last] = kind
  }
  return manifest
}

// `dial()` resolves to { rpc, destroy }: a connection, and a way to cut its socket. `bootstraps` says whether `dial` can ask the
// server for its manifest. `only` goodbye: no call is made.
exports.run = async function (dial, { serves, bootstraps, only }) {
  const cases = exports.load()
  const connection = await dial()
  if (only === 'goodbye') {
    say('result', { case: 'goodbye', outcome: await withTimeout(close(connection.rpc)) })
    return say('done')
  }
  for (const c of cases.calls) {
    if (c.serves && c.serves !== serves) continue
    const own = c.own && await dial()
    say('result', { case: c.name, outcome: await withTimeout(call((own || connection).rpc, c)) })
    if (own) own.destroy()
  }
  say('result', { case: 'goodbye after all calls', outcome: await withTimeout(close(connection.rpc)) })
  for (const c of cases.together) {
    if (c.how === 'bootstrap' && !bootstraps) continue
    say('result', { case: c.name, outcome: await withTimeout(together[c.how](dial)) })
  }
  for (const c of cases.closings) {
    say('result', { case: c.name, outcome: await withTimeout(closings[c.how](await dial())) })
  }
  say('done')
}

function withTimeout (outcome) {
  let timer
  const late = new Promise((resolve) => { timer = setTimeout(() => resolve({ timeout: true }), TIMEOUT_MS) })
  return Promise.race([outcome, late]).finally(() => clearTimeout(timer))
}

const method = (rpc, name) => name.split('.').reduce((node, part) => node[part], rpc)

const call = (rpc, c) => exports.perform(method(rpc, c.method), c)

// Calls a function as a case describes it: its kind, arguments, and what is sent and taken.
exports.perform = (fn, c) => kinds[c.kind](fn, expand(c.args || []), c)

const kinds = {
  async: (fn, args) => new Promise((resolve) => fn(...args, (err, value) => resolve(err ? failed(err) : { value: summary(value) }))),
  source: (fn, args, c) => read(fn(...args), c),
  sink: (fn, args, c) => new Promise((resolve) => {
    write(c)(fn(...args, (end) => resolve(end && end !== true ? failed(end) : { end: true })))
  }),
  duplex: (fn, args, c) => {
    // Without a callback of its own, muxrpc throws the error with which a duplex ends.
    const { source, sink } = fn(...args, () => {})
    write(c)(sink)
    return read(source, c)
  }
}
kinds.sync = kinds.async

// Reads to the end; or `take` items, then aborts: normally, or with the error that `abort` names.
function read (source, { take = Infinity, abort }) {
  return new Promise((resolve) => {
    const items = []
    const finish = (end) => resolve(end === true ? { items, end: true } : { items, ...failed(end) })
    const stop = abort ? new Error(abort) : true
    source(take === 0 ? stop : null, function next (end, item) {
      if (end) return finish(end)
      items.push(summary(item))
      items.length < take ? source(null, next) : source(stop, (end) => finish(end || stop))
    })
  })
}

// Sends the items of `send`, then ends: normally, with the error that `fail` names, or not at all with `keepOpen`.
function write ({ send = [], fail, keepOpen }) {
  const items = expand(send)
  let i = 0
  return (sink) => sink((abort, cb) => {
    if (abort) return cb(abort)
    if (i < items.length) return cb(null, items[i++])
    if (!keepOpen) cb(fail ? new Error(fail) : true)
  })
}

const failed = (err) => ({ error: errorSummary(err) })

const unary = (fn, ...args) => new Promise((resolve) => fn(...args, (err, value) => resolve(err ? failed(err) : { value: summary(value) })))
const close = (rpc, ...args) => new Promise((resolve) => rpc.close(...args, (err) => resolve(err && err !== true ? { closed: true, ...failed(err) } : { closed: true })))
const closed = (rpc) => new Promise((resolve) => rpc.closed ? resolve() : rpc.once('closed', resolve))

// Much at once on one connection.
const together = {
  async calls (dial) {
    const { rpc, destroy } = await dial()
    // The later a call is made, the sooner it is answered.
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => unary(rpc.test.later, 100 - i, i)))
    destroy()
    return { value: answers.map((answer) => answer.value) }
  },
  async bothWays (dial) {
    const { rpc, destroy } = await dial()
    const answers = Array.from({ length: 20 }, (_, i) => unary(rpc.test.echo, i))
    const [back, source, ...echoes] = await Promise.all([unary(rpc.test.callBack, 20), read(rpc.test.count(50), {}), ...answers])
    destroy()
    return { back, source, echoes: echoes.map((answer) => answer.value) }
  },
  // muxrpc asks for the manifest with its name as a text, where every other name is a list.
  bootstrap: (dial) => new Promise((resolve) => {
    const connection = dial({
      bootstrap: (err, manifest) => {
        resolve(err ? failed(err) : { value: manifest.test })
        connection.then(({ destroy }) => destroy())
      }
    })
  })
}

// Each way in which a connection ends, and what a call that was under way hears of it.
const closings = {
  async graceful ({ rpc }) {
    const answer = await unary(rpc.test.echo, 'last words')
    return { call: answer, ...await close(rpc) }
  },
  async gracefulWithCallPending ({ rpc }) {
    const order = []
    const answer = unary(rpc.test.later, 50, 'late').then((a) => { order.push('answer'); return a })
    const done = close(rpc).then((c) => { order.push('closed'); return c })
    return { call: await answer, ...await done, order }
  },
  async error ({ rpc }) {
    const answer = unary(rpc.test.never)
    const done = close(rpc, new Error('caller gives up'))
    return { call: await answer, ...await done }
  },
  async socket ({ rpc, destroy }) {
    const answer = unary(rpc.test.never)
    // The request must be on its way before the socket is cut.
    await unary(rpc.test.echo, 'still here')
    destroy()
    return { call: outcomeKind(await answer), closed: await closed(rpc).then(() => true) }
  },
  hangUpGracefully: (connection) => hangUp(connection, 'graceful'),
  hangUpWithError: (connection) => hangUp(connection, 'error'),
  hangUpSocket: (connection) => hangUp(connection, 'socket')
}

async function hangUp ({ rpc }, how) {
  const answer = unary(rpc.test.never)
  const asked = unary(rpc.test.hangUp, how)
  return { call: outcomeKind(await answer), asked: outcomeKind(await asked), closed: await closed(rpc).then(() => true) }
}

// The words for a lost connection are each implementation's own affair, and so is which layer notices first.
const outcomeKind = (outcome) => outcome.error ? 'error' : outcome
