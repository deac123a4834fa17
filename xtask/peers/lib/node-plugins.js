// The plugins that every node of the scenes has, besides those that carry its connections.
'use strict'
const testApi = require('./test-api')

// The test methods, with the rights that all servers of the cases give.
exports.test = function ({ hangUp, caller }) {
  const below = (names) => names.filter((name) => name.startsWith('test.')).map((name) => name.slice('test.'.length))
  return {
    name: 'test',
    version: '1.0.0',
    manifest: testApi.manifest.test,
    permissions: { anonymous: { allow: below(testApi.permissions.allow), deny: below(testApi.permissions.deny) } },
    init: () => testApi.create({ hangUp, caller })
  }
}

// A method for everybody, some for those who are granted them, one that is denied below one that is allowed. Its name has to
// be put in camel case before anybody can call it.
exports.notes = {
  name: 'my-notes',
  version: '1.0.0',
  manifest: {
    who: 'async',
    say: 'async',
    list: 'source',
    secret: 'async',
    secrets: 'source',
    shelf: { open: 'async', locked: 'async' }
  },
  permissions: { anonymous: { allow: ['who', 'say', 'list', 'shelf'], deny: ['shelf.locked'] } },
  init: () => ({
    who (cb) { cb(null, this.id) },
    say: (text, cb) => cb(null, text),
    list: () => values(['one', 'private', 'two']),
    secret: (cb) => cb(null, 'the secret'),
    secrets: () => values(['the', 'secrets']),
    shelf: { open: (cb) => cb(null, 'from the shelf'), locked: (cb) => cb(null, 'from the locked shelf') }
  })
}

// Without a name, a plugin's methods stand at the root.
exports.root = {
  version: '1.0.0',
  manifest: { hello: 'sync' },
  permissions: { anonymous: { allow: ['hello'] } },
  init: () => ({ hello: (name) => `Hello, ${name}.` })
}

// Hooks around methods of another plugin. The first changes what goes in and what comes out; the second is added later, so it
// stands around the first, and may answer without asking it; the third leaves items out.
exports.manners = (api) => {
  api.myNotes.say.hook(function (next, [text, cb]) {
    next.call(this, text + '!', (err, said) => err ? cb(err) : cb(null, `(${said})`))
  })
  api.myNotes.say.hook(function (next, [text, cb]) {
    if (text === 'hush') return cb(null, 'hushed')
    next.call(this, text, (err, said) => err ? cb(err) : cb(null, `[${said}]`))
  })
  api.myNotes.list.hook(function (next, args) {
    const read = next.apply(this, args)
    return (abort, cb) => read(abort, function again (end, item) {
      !end && item === 'private' ? read(null, again) : cb(end, item)
    })
  })
}

// A pluggable system of permissions: each hook has a table from ids to verdicts and says what stands there; whoever does not
// stand there is left to the hook within. `asked` hears of each question.
exports.auth = (tables, asked) => (api) => {
  tables.forEach((table, number) => api.auth.hook(function (next, [id, cb]) {
    asked(id, number)
    const verdict = table[id]
    if (!verdict) return next.call(this, id, cb)
    verdict.reject ? cb(new Error(verdict.reject)) : cb(null, verdict.rights)
  }))
}

// Messages that each node passes on to all others: whoever connects reads what the other side has and will have.
exports.flood = {
  name: 'flood',
  version: '1.0.0',
  manifest: { messages: 'source', publish: 'async', heard: 'async' },
  permissions: { anonymous: { allow: ['messages'] } },
  init: (api) => {
    const messages = []
    const readers = new Set()
    const waiting = new Set()
    const take = (message) => {
      if (messages.includes(message)) return
      messages.push(message)
      for (const wake of [...readers, ...waiting]) wake()
    }
    api.on('rpc:connect', (rpc) => {
      const read = rpc.flood.messages()
      read(null, function next (end, message) {
        if (end) return
        take(message)
        read(null, next)
      })
    })
    return {
      messages () {
        let sent = 0
        let waits = null
        const serve = () => {
          if (!waits || sent === messages.length) return
          const cb = waits
          waits = null
          cb(null, messages[sent++])
        }
        readers.add(serve)
        return (abort, cb) => {
          if (abort) { readers.delete(serve); return cb(abort) }
          waits = cb
          serve()
        }
      },
      publish: (message, cb) => { take(message); cb() },
      // Answers once there are so many messages.
      heard (count, cb) {
        const look = () => {
          if (messages.length < count) return
          waiting.delete(look)
          cb(null, [...messages].sort())
        }
        waiting.add(look)
        look()
      }
    }
  }
}

function values (items) {
  let i = 0
  return (abort, cb) => abort ? cb(abort) : i < items.length ? cb(null, items[i++]) : cb(true)
}
