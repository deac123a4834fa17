// One node of secret-stack that does as it is told, and tells what happens to it.
'use strict'
const { identity, errorSummary } = require('./peer')
const mux = require('./mux')
const cases = require('./run-cases')
const plugins = require('./node-plugins')
const sockets = require('./sockets')
const stack = require('./stack')
const transports = require('./transports')

// `options`: seed (hexadecimal), network (base64), listen (any of net, ws, unix, noauth), folder (for unix), timers (as
// secret-stack has them), auth (tables of verdicts, innermost first), flood (whether messages are passed on).
// `tell(what, fields)` is called with `connected`, `closed` (both for links, which are numbered as they come), `asked` (for
// auth) and `ended`.
exports.start = async function (v, options, tell) {
  const me = identity(options.seed)
  const links = []
  const load = stack.project(v)
  const open = () => links.filter((rpc) => !rpc.closed)
  const test = plugins.test({
    hangUp: (how) => how === 'socket' ? sockets.destroyAll() : open().forEach((rpc) => mux.hangUp(rpc, how)),
    caller: () => links[links.length - 1]
  })
  const app = stack.create({
    v,
    keys: me.ssb,
    network: options.network,
    timers: options.timers,
    connections: await transports.connections(options.listen, options.folder),
    plugins: [
      ...transports.plugins(load, me.publicKey),
      test,
      plugins.notes,
      plugins.root,
      plugins.manners,
      plugins.auth(options.auth || [], (id, hook) => tell('asked', { id, hook })),
      ...options.flood ? [plugins.flood] : []
    ]
  })
  app.on('rpc:connect', (rpc, isClient) => {
    const link = links.push(rpc) - 1
    tell('connected', { link, id: rpc.id, client: isClient, address: rpc.stream.address })
    rpc.once('closed', () => tell('closed', { link }))
  })
  app.on('close', () => tell('ended'))
  await new Promise((resolve) => app.once('multiserver:listening', resolve))
  return commands(app, links)
}

// What a node can be told; each gives the outcome, or a promise of it.
const commands = (app, links) => ({
  id: () => app.id,

  address: ({ scope }) => app.getAddress(scope) || null,

  // Addresses are texts, or objects of host, port and key.
  connect: ({ address }) => new Promise((resolve) => {
    app.connect(address, (err, rpc) => resolve(err ? failed(err) : { link: links.indexOf(rpc) }))
  }),

  // A call of the other side, as a case describes it.
  call: ({ link, call }) => cases.perform(remote(app, links[link], call), call),

  // A call of the node's own method, which nothing but its hooks stands before.
  local: ({ call }) => cases.perform(call.method.split('.').reduce((node, part) => node[part], app), call),

  close: ({ link, how }) => new Promise((resolve) => {
    const done = () => resolve({ closed: true })
    how === 'error' ? links[link].close(new Error('gives up'), done) : links[link].close(done)
  }),

  // Ends the node: with an error, all its connections go; without one, it only stops listening.
  end: ({ how }) => {
    how === 'error' ? app.close(new Error('gives up'), () => {}) : app.close(() => {})
    return true
  },

  cut: () => { sockets.destroyAll(); return true },

  // How many connections there are with each peer, as the node itself has them.
  peers: () => Object.fromEntries(Object.entries(app.peers).map(([id, all]) => [id, all.length]).filter(([, count]) => count > 0)),

  // What the node decides about a key.
  auth: ({ of }) => new Promise((resolve) => app.auth(of, (err, rights) => resolve(err ? failed(err) : { rights: rights || null })))
})

const failed = (err) => ({ error: errorSummary(err) })

// The method of a connection. What our manifest has not, or has as another kind, is asked for all the same.
function remote (app, rpc, { method, kind }) {
  const path = method.split('.')
  const at = (root) => path.reduce((node, part) => node && node[part], root)
  if (at(app.getManifest()) === kind) return at(rpc)
  return (...args) => {
    const done = typeof args[args.length - 1] === 'function' ? args.pop() : () => {}
    return rpc.stream.remoteCall(kind === 'sync' ? 'async' : kind, path, args, done)
  }
}
