// Computes snap2p.json anew from the inputs in the frozen file named as argument: with the packages of Stacks wallets, Node's
// cryptography, and our reading of the recorded conversations in lib/snap2p, which shares nothing with the Rust crate. The reference,
// which made the file, is not on npm.
'use strict'
const crypto = require('crypto')
const fs = require('fs')
const { project } = require('../lib/peer')
const cbor = require('../lib/snap2p/cbor')
const identity = require('../lib/snap2p/identity')
const noise = require('../lib/snap2p/noise')
const { framed, varint } = require('../lib/snap2p/session')
const { replay } = require('../lib/snap2p/replay')
const packages = project('stacks')
const stacks = packages('@stacks/transactions')
const bip39 = packages('@scure/bip39')
const { HDKey } = packages('@scure/bip32')

const frozen = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const hex = (text) => Buffer.from(text, 'hex')
const text = (bytes) => Buffer.from(bytes).toString('hex')

const keyConversion = frozen.key_conversion.map(({ seed }) => {
  const keys = noise.nodeKey(hex(seed))
  return {
    seed,
    ed25519_public: text(keys.public),
    x25519_private: text(keys.agreement.secret),
    x25519_public: text(keys.agreement.public),
    ed_to_x_public: text(noise.agreementOf(keys.public))
  }
})

// The fields of the reference's objects, as keys on the wire.
const KEYS = {
  type: 't', version: 'v', nodePublicKey: 'pk', nonce: 'n', timestamp: 'ts', visibility: 'vis', capabilities: 'cap', attestation: 'att',
  handshakeData: 'hd', principal: 'p', sessionId: 'sid', streamId: 'sid', errorCode: 'ec', reason: 'r', label: 'l', data: 'd', fin: 'f',
  sequence: 'seq', inviteToken: 'it', allowed: 'a'
}
const BYTES = ['nodePublicKey', 'nonce', 'attestation', 'handshakeData', 'sessionId', 'data', 'inviteToken']
const NUMBERS = ['timestamp', 'streamId', 'sequence']
// What is left out if it says nothing.
const IDLE = { reason: '', label: '', fin: false }

const messages = frozen.messages.map(({ name, fields }) => {
  const message = {}
  for (const [field, value] of Object.entries(fields)) {
    if (!(field in KEYS)) throw new Error(`no field ${field}`)
    if (field in IDLE && value === IDLE[field]) continue
    message[KEYS[field]] = BYTES.includes(field) ? hex(value) : NUMBERS.includes(field) ? BigInt(value) : value
  }
  const encoded = cbor.encode(message)
  return { name, cbor: text(encoded), framed: text(framed(encoded)) }
})

const handshakes = frozen.noise_xx.map(({ initiator, responder, messages }) => {
  const side = ({ node_seed: seed, ephemeral_private: secret }) => {
    const { agreement } = noise.nodeKey(hex(seed))
    const ephemeral = { ephemeral_private: secret, ephemeral_public: text(noise.publicOf('x25519', hex(secret))) }
    return {
      node_seed: seed, static_private: text(agreement.secret), static_public: text(agreement.public), ...ephemeral
    }
  }
  const start = (role, { node_seed: seed, ephemeral_private: secret }) => role(noise.nodeKey(hex(seed)).agreement, hex(secret))
  const [one, other] = [start(noise.initiator, initiator), start(noise.responder, responder)]
  other.next()
  const first = one.next().value
  const second = other.next(first).value
  const mine = one.next(second).value
  const theirs = other.next(mine.last).value
  if (!mine.hash.equals(theirs.hash)) throw new Error('the two ends do not agree')
  return {
    initiator: side(initiator),
    responder: side(responder),
    messages: [first, second, mine.last].map((message) => ({ message: text(message), framed: text(framed(message)) })),
    handshake_hash: text(mine.hash),
    k1_initiator_to_responder: text(mine.send.key),
    k2_responder_to_initiator: text(theirs.send.key)
  }
})

const transport = frozen.transport.map(({ key, counter, aad, plaintext, ciphertext }) => {
  // A long one stands there as its hash.
  if (plaintext === undefined || ciphertext === undefined) return {}
  const cipher = new noise.Cipher(hex(key))
  cipher.counter = BigInt(counter)
  return { key, plaintext, ciphertext: text(cipher.seal(hex(plaintext), hex(aad))) }
})

const [ck, info] = ['ck_in', 'dh'].map((name) => hex(frozen.hkdf.mix_key[name]))
const mixed = noise.expand(ck, info)
const split = noise.expand(hex(frozen.hkdf.split.ck_in), Buffer.alloc(0))

const addresses = frozen.addresses.map(({ stacks_private_key: secret }) => ({
  public_key: stacks.privateKeyToPublic(secret),
  mainnet: stacks.privateKeyToAddress(secret, 'mainnet')
}))

const verified = (network, { wire, now }) => {
  try {
    const error = identity.fault(identity.read(hex(wire)), network, Number(now))
    return { valid: error === null }
  } catch {
    return { valid: false }
  }
}

const attestations = frozen.attestations.map((attestation) => ({
  verify_mainnet: verified('mainnet', attestation),
  verify_testnet: verified('testnet', attestation)
}))

const root = (mnemonic) => HDKey.fromMasterSeed(bip39.mnemonicToSeedSync(mnemonic))
const accounts = (mnemonic, all) => all.map(({ index, path }) => {
  const key = root(mnemonic).derive(path)
  const secret = text(key.privateKey) + '01'
  return {
    index,
    stx_private_key: secret,
    public_key: text(key.publicKey),
    mainnet: stacks.privateKeyToAddress(secret, 'mainnet'),
    testnet: stacks.privateKeyToAddress(secret, 'testnet')
  }
})

const { wallet } = frozen
const key = crypto.scryptSync(wallet.password, hex(wallet.salt), 32, { N: 131072, r: 8, p: 1, maxmem: 160 << 20 })
const cipher = crypto.createCipheriv('aes-256-gcm', key, hex(wallet.iv))
const ciphertext = Buffer.concat([cipher.update(wallet.mnemonic), cipher.final()])

replay(frozen).then((played) => {
  const different = played.filter(({ frames, alike, surplus }) => frames !== alike || surplus > 0)
  if (different.length > 0) throw new Error(`the conversations come out otherwise: ${JSON.stringify(different)}`)
  console.log(JSON.stringify({
    key_conversion: keyConversion,
    varint: frozen.varint.map(({ value }) => ({ value, bytes: text(varint(value)) })),
    frames: frozen.frames.map((frame) => frame.framed && frame.payload ? { framed: text(framed(hex(frame.payload))) } : {}),
    messages,
    hkdf: {
      mix_key: { ck_out: text(mixed[0]), k_out: text(mixed[1]) },
      split: { k1: text(split[0]), k2: text(split[1]) }
    },
    noise_xx: handshakes,
    transport,
    addresses,
    attestations,
    wallet: {
      derived_key: text(key),
      tag: text(cipher.getAuthTag()),
      ciphertext: text(ciphertext),
      accounts: accounts(wallet.mnemonic, wallet.accounts),
      second_mnemonic: { accounts: accounts(wallet.second_mnemonic.mnemonic, wallet.second_mnemonic.accounts) }
    }
  }))
})
