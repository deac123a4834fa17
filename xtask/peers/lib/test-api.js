// The methods that every serving peer offers under `test`: one of each kind and of each way to end.
'use strict'
const { bytes } = require('./peer')

exports.manifest = {
  manifest: 'sync',
  test: {
    echo: 'async', sum: 'sync', throws: 'sync', fails: 'async', failsWithText: 'async',
    nothing: 'async', nul: 'async', text: 'async', bytes: 'async', emptyText: 'async',
    later: 'async', never: 'async', seen: 'async', hangUp: 'async', callBack: 'async', forbidden: 'async', denied: 'async',
    onlyAsync: 'async', onlySource: 'source',
    forbiddenSource: 'source', forbiddenSink: 'sink', forbiddenDuplex: 'duplex',
    count: 'source', countThenFail: 'source', chunks: 'source', bigItems: 'source', forever: 'source', mixed: 'source',
    collect: 'sink', refuse: 'sink', takeOne: 'sink',
    mirror: 'duplex', mirrorThenFail: 'duplex',
    nested: { deep: { hi: 'async' } }
  }
}

// Everything but the methods named `forbidden…` is allowed, one by one: allowing `test` would allow those too. `absent` is allowed and does not exist.
exports.permissions = {
  allow: ['manifest', ...Object.keys(exports.manifest.test)
    .filter((name) => !name.startsWith('forbidden'))
    .concat('absent', 'absentSource', 'absentSink', 'absentDuplex')
    .map((name) => 'test.' + name)],
  deny: ['test.denied']
}

// What a calling peer serves, for `callBack`.
exports.callerManifest = { test: { echo: 'async', count: 'source' } }

// What differs with what carries muxrpc: `hangUp(how)` drops the connection to the caller, `caller()` is the way to call it.
exports.create = function ({ hangUp, caller } = {}) {
  // What became of the newest stream whose end the other side cannot see; `seen` waits for it.
  let seen = watched()
  const api = {
    // Unary methods.
    echo: (value, cb) => cb(null, value),
    sum: (a, b) => a + b,
    throws: () => { throw new TypeError('thrown on purpose') },
    fails: (cb) => cb(new Error('failed on purpose')),
    failsWithText: (cb) => cb('just a text'),
    nothing: (cb) => cb(),
    nul: (cb) => cb(null, null),
    text: (length, cb) => cb(null, 'x'.repeat(length)),
    bytes: (length, cb) => cb(null, bytes(length)),
    emptyText: (cb) => cb(null, ''),
    later: (ms, value, cb) => setTimeout(() => cb(null, value), ms),
    never: () => {},
    seen: (cb) => seen.wait(cb),
    hangUp (how, cb) { hangUp(how) },
    // Calls the caller `n` times at once and reads a source of `n` items from it, over the connection that the call came by.
    callBack (n, cb) {
      const { echo, count } = caller().test
      const echoes = Array.from({ length: n }, (_, i) => new Promise((resolve, reject) => {
        echo(i, (err, value) => err ? reject(err) : resolve(value))
      }))
      const items = new Promise((resolve, reject) => {
        const all = []
        const read = count(n)
        read(null, function next (end, item) {
          if (end) return end === true ? resolve(all) : reject(end)
          all.push(item)
          read(null, next)
        })
      })
      Promise.all([Promise.all(echoes), items]).then(([echoes, items]) => cb(null, { echoes, items }), cb)
    },
    onlyAsync: (cb) => cb(null, 'reached'),
    forbidden: (cb) => cb(null, 'reached'),
    denied: (cb) => cb(null, 'reached'),
    nested: { deep: { hi: (cb) => cb(null, 'hi from deep') } },

    // Sources.
    forbiddenSource: () => values([1]),
    onlySource: () => values([1]),
    count: (n) => values(Array.from({ length: n }, (_, i) => i)),
    countThenFail: (n) => values(Array.from({ length: n }, (_, i) => i), new Error('source broke')),
    chunks: (n, length) => values(Array.from({ length: n }, () => bytes(length))),
    bigItems: (n, length) => values(Array.from({ length: n }, () => 'x'.repeat(length))),
    mixed: () => values([1, 'two', bytes(3), { four: 4 }, [5], true, null]),
    forever () {
      const mine = (seen = watched())
      let i = 0
      return (abort, cb) => {
        if (abort) { mine.done(abort); return cb(abort) }
        setTimeout(() => cb(null, i++), 1)
      }
    },

    // Sinks.
    forbiddenSink: () => (read) => read(true, () => {}),
    collect () {
      const mine = (seen = watched())
      return (read) => read(null, function next (end, item) {
        if (end) return mine.done(end)
        mine.items.push(item)
        read(null, next)
      })
    },
    refuse: () => (read) => read(null, () => read(new Error('sink refuses'), () => {})),
    takeOne: () => (read) => read(null, () => read(true, () => {})),

    // Duplexes.
    forbiddenDuplex: () => mirror(),
    mirror: () => mirror(),
    mirrorThenFail: (n) => mirror(n)
  }
  return api
}

// A pull source of the given items that ends with `end`.
function values (items, end = true) {
  let i = 0
  return (abort, cb) => abort ? cb(abort) : i < items.length ? cb(null, items[i++]) : cb(end)
}

// A duplex that sends back what it receives; after `failAfter` items it breaks instead.
function mirror (failAfter = Infinity) {
  const queue = []
  let ended = null
  let reader = null
  let count = 0
  const serve = () => {
    if (!reader) return
    const cb = reader
    if (count >= failAfter) { reader = null; return cb(new Error('mirror broke')) }
    if (queue.length) { reader = null; count++; return cb(null, queue.shift()) }
    if (ended) { reader = null; return cb(ended) }
  }
  return {
    source: (abort, cb) => { if (abort) return cb(abort); reader = cb; serve() },
    sink: (read) => read(null, function next (end, item) {
      if (end) { ended = end; return serve() }
      queue.push(item)
      serve()
      read(null, next)
    })
  }
}

// Items and end of one stream, for `seen` to report once it has ended.
function watched () {
  const waiting = []
  const self = {
    items: [],
    end: null,
    done (end) {
      self.end = end === true ? true : String(end.message || end)
      for (const cb of waiting.splice(0)) cb(null, self.report())
    },
    report: () => ({ items: self.items, end: self.end }),
    wait (cb) { self.end === null ? waiting.push(cb) : cb(null, self.report()) }
  }
  return self
}
