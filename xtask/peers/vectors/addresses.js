// Computes addresses.json anew: takes the texts from the frozen file named as argument, and what the JavaScript parsers make
// of each from multiserver, multiserver-address and ssb-ref. `canonical` in the file is what Handfast prints for the text;
// what the same parsers make of that is computed too.
'use strict'
const fs = require('fs')
const { createRequire } = require('module')
const { project } = require('../lib/peer')
const load = project('core')
const compose = load('multiserver/compose')
// ssb-ref brings it.
const codec = createRequire(load.resolve('ssb-ref'))('multiserver-address')
const ref = load('ssb-ref')

// The packages speak on the console of what they dislike.
for (const method of ['trace', 'error', 'warn']) console[method] = () => {}
process.noDeprecation = true

const keys = { publicKey: Buffer.alloc(32, 1), secretKey: Buffer.alloc(64, 1) }
const shs = load('multiserver/plugins/shs')({ keys, appKey: Buffer.alloc(32) })
const noauth = load('multiserver/plugins/noauth')({ keys })
const plugin = (name, options) => load('multiserver/plugins/' + name)(options)
const suites = [
  [plugin('net', {}), shs], [plugin('onion', {}), shs], [plugin('ws', {}), shs], [plugin('unix-socket', { path: '/' }), noauth]
].map((suite) => compose(suite))

const frozen = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))

function attempt (read) {
  try { return read() } catch (error) { return { error: error.message.split('\n')[0] } }
}

// What the first suite that understands one alternative makes of it, in the terms of its plugins.
function understood (alternative) {
  for (const suite of suites) {
    const read = suite.parse(alternative)
    if (!read) continue
    const [place, transform] = read
    const out = { transport: suite.name.split('~')[0] }
    if (out.transport === 'ws') {
      const { protocol, hostname, port, path } = place
      Object.assign(out, { secure: protocol === 'wss:', host: hostname, port, path })
    } else if (out.transport === 'unix') {
      out.path = place.path
    } else {
      Object.assign(out, { host: place.host, port: Number.isFinite(place.port) ? place.port : String(place.port) })
    }
    if (transform && transform.key) out.key = transform.key.toString('base64')
    if (transform && transform.seed) out.seed = transform.seed.toString('base64')
    return out
  }
  return null
}

function read (text) {
  return {
    // As `client` of multiserver does it: the first alternative that is understood is the one that counts.
    multiserver: text.split(';').map((alternative) => attempt(() => understood(alternative))),
    codec: codec.check(text) ? attempt(() => codec.decode(text)) : null,
    is_address: !!ref.isAddress(text),
    legacy: attempt(() => text.includes('~') ? ref.parseAddress(text) || null : ref.isAddress(text) ? ref.parseAddress(text) : null),
    is_invite: !!ref.isInvite(text),
    invite: attempt(() => ref.parseInvite(text))
  }
}

console.log(JSON.stringify({
  addresses: frozen.addresses.map(({ label, text, canonical }) => ({
    label, text, read: read(text), ...(canonical ? { canonical_read: read(canonical) } : {})
  }))
}))
