// The handshake of SNaP2P, as the recorded conversations show it: Noise XX whose HKDF takes its arguments in another order than
// Noise does. Node's own cryptography and nothing else.
'use strict'
const crypto = require('crypto')

const NAME = Buffer.from('Noise_XX_25519_ChaChaPoly_SHA256')
const TAG = 16
const EMPTY = Buffer.alloc(0)

const sha256 = (...parts) => crypto.createHash('sha256').update(Buffer.concat(parts)).digest()
const hmac = (key, ...parts) => crypto.createHmac('sha256', key).update(Buffer.concat(parts)).digest()

const DER = {
  ed25519: ['302e020100300506032b657004220420', '302a300506032b6570032100'],
  x25519: ['302e020100300506032b656e04220420', '302a300506032b656e032100']
}
const der = (prefix, key) => Buffer.concat([Buffer.from(prefix, 'hex'), key])
const secretKey = (kind, key) => crypto.createPrivateKey({ key: der(DER[kind][0], key), format: 'der', type: 'pkcs8' })
const publicKey = (kind, key) => crypto.createPublicKey({ key: der(DER[kind][1], key), format: 'der', type: 'spki' })
const publicOf = (kind, secret) =>
  crypto.createPublicKey(secretKey(kind, secret)).export({ format: 'der', type: 'spki' }).subarray(-32)

// Fails for points of low order, as OpenSSL does.
const agree = (secret, point) =>
  crypto.diffieHellman({ privateKey: secretKey('x25519', secret), publicKey: publicKey('x25519', point) })

// The node key of a seed: Ed25519, and its X25519 half.
function nodeKey (seed) {
  const secret = crypto.createHash('sha512').update(seed).digest().subarray(0, 32)
  secret[0] &= 248
  secret[31] = (secret[31] & 127) | 64
  return { public: publicOf('ed25519', seed), agreement: { secret, public: publicOf('x25519', secret) } }
}

const P = (1n << 255n) - 19n
const mod = (n) => ((n % P) + P) % P
function power (base, exponent) {
  let result = 1n
  for (base = mod(base); exponent > 0n; exponent >>= 1n, base = mod(base * base)) {
    if (exponent & 1n) result = mod(result * base)
  }
  return result
}
const D = mod(-121665n * power(121666n, P - 2n))

// The X25519 half of somebody else's Ed25519 key: u = (1 + y) / (1 - y).
function agreementOf (node) {
  const bytes = Buffer.from(node)
  bytes[31] &= 127
  const y = BigInt('0x' + Buffer.from(bytes).reverse().toString('hex'))
  if (y >= P || y === 1n) throw new Error('bad point: invalid y coordinate')
  const xx = mod((y * y - 1n) * power(D * y * y + 1n, P - 2n))
  if (xx !== 0n && power(xx, (P - 1n) / 2n) !== 1n) throw new Error('bad point: not on the curve')
  const u = mod((1n + y) * power(1n - y, P - 2n))
  return Buffer.from(u.toString(16).padStart(64, '0'), 'hex').reverse()
}

// One direction: a key and a counter.
class Cipher {
  constructor (key) {
    this.key = key
    this.counter = 0n
  }

  nonce () {
    const nonce = Buffer.alloc(12)
    nonce.writeBigUInt64LE(this.counter++, 4)
    return nonce
  }

  seal (plain, additional = Buffer.alloc(0)) {
    const cipher = crypto.createCipheriv('chacha20-poly1305', this.key, this.nonce(), { authTagLength: TAG })
    cipher.setAAD(additional, { plaintextLength: plain.length })
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  }

  // The counter moves on even if the frame is forged: so does that of the reference.
  open (sealed, additional = Buffer.alloc(0)) {
    const nonce = this.nonce()
    if (sealed.length < TAG) throw new Error('invalid tag')
    const length = sealed.length - TAG
    const cipher = crypto.createDecipheriv('chacha20-poly1305', this.key, nonce, { authTagLength: TAG })
    cipher.setAAD(additional, { plaintextLength: length })
    cipher.setAuthTag(sealed.subarray(length))
    const plain = cipher.update(sealed.subarray(0, length))
    try { cipher.final() } catch { throw new Error('invalid tag') }
    return plain
  }
}

// HKDF with ck as the input and nothing as the salt; what Noise would give as the input stands in `info`.
function expand (ck, info) {
  const prk = hmac(Buffer.alloc(32), ck)
  const one = hmac(prk, info, Buffer.from([1]))
  return [one, hmac(prk, one, info, Buffer.from([2]))]
}

class Symmetric {
  constructor () {
    // The name has the length of a hash, so it is not hashed. The prologue is empty.
    this.ck = NAME
    this.h = sha256(NAME, EMPTY)
    this.cipher = null
  }

  mixHash (data) { this.h = sha256(this.h, data) }

  mixKey (shared) {
    const [ck, key] = expand(this.ck, shared)
    this.ck = ck
    this.cipher = new Cipher(key)
  }

  seal (plain) {
    const sealed = this.cipher.seal(plain, this.h)
    this.mixHash(sealed)
    return sealed
  }

  open (sealed) {
    const plain = this.cipher.open(sealed, this.h)
    this.mixHash(sealed)
    return plain
  }

  split () { return expand(this.ck, Buffer.alloc(0)).map((key) => new Cipher(key)) }
}

// Both take the X25519 half of the node key and the secret of the ephemeral one. A generator each: it yields what it sends and is
// resumed with what comes, and returns the two directions with the other's static key.
function * initiator (own, ephemeral) {
  const state = new Symmetric()
  const e = publicOf('x25519', ephemeral)
  state.mixHash(e)
  state.mixHash(EMPTY)
  const second = yield e
  if (second.length < 96) throw new Error('the second message is too short')
  const re = second.subarray(0, 32)
  state.mixHash(re)
  state.mixKey(agree(ephemeral, re))
  const remote = state.open(second.subarray(32, 80))
  state.mixKey(agree(ephemeral, remote))
  state.open(second.subarray(80))
  const sealed = state.seal(own.public)
  state.mixKey(agree(own.secret, re))
  const third = Buffer.concat([sealed, state.seal(EMPTY)])
  const [send, receive] = state.split()
  return { last: third, send, receive, remote, hash: state.h }
}

function * responder (own, ephemeral) {
  const state = new Symmetric()
  const first = yield null
  if (first.length < 32) throw new Error('the first message is too short')
  const re = first.subarray(0, 32)
  state.mixHash(re)
  state.mixHash(first.subarray(32))
  const e = publicOf('x25519', ephemeral)
  state.mixHash(e)
  state.mixKey(agree(ephemeral, re))
  const sealed = state.seal(own.public)
  state.mixKey(agree(own.secret, re))
  const third = yield Buffer.concat([e, sealed, state.seal(EMPTY)])
  const remote = state.open(third.subarray(0, 48))
  state.mixKey(agree(ephemeral, remote))
  state.open(third.subarray(48))
  const [receive, send] = state.split()
  return { last: null, send, receive, remote, hash: state.h }
}

module.exports = { Cipher, agreementOf, expand, initiator, nodeKey, publicOf, responder, sha256 }
