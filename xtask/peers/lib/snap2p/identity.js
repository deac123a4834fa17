// Who somebody is: addresses of wallets and the attestations that tie node keys to them. Keys, signatures and addresses are those
// of the packages of Stacks; the fields and their order are what the recorded conversations show.
'use strict'
const { project } = require('../peer')
const cbor = require('./cbor')
const { sha256 } = require('./noise')
const stacks = project('stacks')('@stacks/transactions')

const DOMAIN = 'snap2p-nodekey-attestation-v1'
const SKEW = 300
const VALIDITY = 24 * 3600
// 40 or 41 characters and no checksum: shorter addresses are good ones that the reference refuses.
const PRINCIPAL = /^stacks:(S[A-Z0-9]{39,40})$/

// A wallet's key is 32 bytes; the packages want a 01 behind it, for the compressed public key.
const address = (secret, network) => stacks.privateKeyToAddress(secret.toString('hex') + '01', network)
const principal = (secret, network) => `stacks:${address(secret, network)}`

function parse (text) {
  const found = PRINCIPAL.exec(text)
  if (!found) throw new Error(`Invalid principal: ${text}`)
  return found[1]
}

const signed = ({ sig, ...fields }) => cbor.encode(fields)
const digest = (attestation) => sha256(signed(attestation)).toString('hex')

function attest ({ secret, network, node, nonce, now, validity = VALIDITY }) {
  const attestation = {
    v: 1, p: principal(secret, network), npk: node.toString('hex'), ts: now, exp: now + validity, nonce, domain: DOMAIN
  }
  return sign(attestation, secret)
}

function sign (attestation, secret) {
  const sig = stacks.signMessageHashRsv({ messageHash: digest(attestation), privateKey: secret.toString('hex') + '01' })
  return { ...attestation, sig: Buffer.from(sig, 'hex') }
}

const wire = (attestation) => cbor.encode(attestation)

// Reads what AUTH carries; the node key is put in lower case again, as the reference rebuilds what was signed.
function read (bytes) {
  const { v, domain, exp, nonce, npk, p, sig, ts } = cbor.decode(bytes)
  if (v !== 1) throw new Error(`Unsupported attestation version: ${v}`)
  if (!/^[0-9a-f]{64}$/i.test(npk)) throw new Error('Invalid node public key')
  parse(p)
  return { v, domain, exp, nonce, npk: npk.toLowerCase(), p, sig, ts }
}

// Why the attestation proves nothing, or null.
function fault (attestation, network, now) {
  const { domain, exp, nonce, p, sig, ts } = attestation
  if (domain !== DOMAIN) return `Invalid domain: expected ${DOMAIN}`
  if (nonce.length < 16 || nonce.length > 32) return 'Invalid nonce: must be 16-32 bytes'
  if (ts > now + SKEW) return 'Attestation issued in the future'
  if (exp <= now - SKEW) return 'Attestation has expired'
  let found
  try {
    const key = stacks.publicKeyFromSignatureRsv(digest(attestation), sig.toString('hex'))
    found = stacks.getAddressFromPublicKey(stacks.compressPublicKey(key), network)
  } catch (error) {
    return `Signature verification failed: ${error.message}`
  }
  return found === parse(p) ? null : `Signature verification failed: recovered address ${found} does not match principal ${parse(p)}`
}

module.exports = { SKEW, address, attest, fault, parse, principal, read, sign, signed, wire }
