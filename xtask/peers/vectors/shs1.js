// Computes shs1.json anew: takes keys and seeds from the frozen file named as argument, and everything else from
// secret-handshake, whose source of randomness is replaced by those seeds.
'use strict'
const fs = require('fs')
const { project } = require('../lib/peer')
const load = project('core')
const pull = load('pull-stream')

const frozen = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const bytes = (hex) => Buffer.from(hex, 'hex')
const hex = (buffer) => Buffer.from(buffer).toString('hex')

// The client asks for its 32 random bytes first, the server second.
let seeds = []
const randomPath = load.resolve('secret-handshake/random')
require.cache[randomPath] = { id: randomPath, filename: randomPath, loaded: true, exports: () => seeds.shift() }
const crypto = load('secret-handshake/crypto')
const SHS = load('secret-handshake')

// `clean` wipes what a vector wants to show, so it is noted just before, by the role that holds it.
let noted = {}
const { clean } = crypto
crypto.clean = (state) => {
  const hello = state.local.hello || state.remote.hello
  noted[hex(state.local.publicKey)] = {
    secret_ab: hex(state.secret), shash: hex(state.shash), a_bob: hex(state.a_bob), b_alice: hex(state.b_alice),
    secret2_msg3_key: hex(state.secret2), secret3_msg4_key: hex(state.secret3), hello_sigA_pkA: hex(hello)
  }
  return clean(state)
}

function outcome (err, stream) {
  if (err) return { error: err.message }
  const { encryptKey, decryptKey, encryptNonce, decryptNonce } = stream.crypto
  return {
    encrypt_key: hex(encryptKey), decrypt_key: hex(decryptKey),
    encrypt_nonce: hex(encryptNonce), decrypt_nonce: hex(decryptNonce), remote_pk: hex(stream.remote)
  }
}

function handshake (v) {
  const refused = v.label.includes('authorize returns false')
  const otherCap = v.label.includes('another cap')
  const pair = (role) => ({ publicKey: bytes(v[role + '_longterm_pk']), secretKey: bytes(v[role + '_longterm_sk']) })
  seeds = [bytes(v.client_ephemeral_seed), bytes(v.server_ephemeral_seed)]
  noted = {}
  const sent = { c2s: [], s2c: [] }
  const tap = (dir) => pull.through((chunk) => { sent[dir].push(hex(chunk)) })
  const plain = { client: [], server: [] }
  const talk = (role, sends) => (err, stream) => {
    results[role] = outcome(err, stream)
    if (err) return
    pull(pull.values((sends || []).map(bytes)), stream.sink)
    pull(stream.source, pull.drain((chunk) => { plain[role].push(hex(chunk)) }, () => {}))
  }
  const results = {}
  const cap = bytes(v.app_key)
  const after = v.after || {}
  const client = SHS.createClient(pair('client'), otherCap ? Buffer.alloc(32, 1) : cap, 5000)(
    bytes(v.server_longterm_pk), talk('client', after.client_sends_plain))
  const server = SHS.createServer(pair('server'), (_key, cb) => cb(null, !refused), cap, 5000)(
    talk('server', after.server_sends_plain))
  pull(client.source, tap('c2s'), server.sink)
  pull(server.source, tap('s2c'), client.sink)

  const computed = { label: v.label, client_outcome: results.client, server_outcome: results.server }
  // The other network's identifier is not in the file, so neither can its bytes be computed.
  if (otherCap) return computed
  // Each direction is a sequence; how the two interleave is up to the scheduler, so the file's own order stands.
  computed.wire = v.wire.map(({ dir }) => ({ dir, bytes: sent[dir].shift() }))
  for (const dir of ['c2s', 's2c']) computed.wire.push(...sent[dir].map((bytes) => ({ dir, bytes })))
  if (v.client_intermediate) computed.client_intermediate = noted[v.client_longterm_pk]
  if (v.server_intermediate) computed.server_intermediate = noted[v.server_longterm_pk]
  if (v.after) computed.after = { server_got: plain.server.join(''), client_got: plain.client.join('') }
  return computed
}

console.log(JSON.stringify({ vectors: frozen.vectors.map(handshake) }))
