// What the packages of Stacks wallets make of our addresses, signatures and wallets, and some of their own for us to judge. Each line of
// standard input is a JSON object with `do`; the answer is a line as well.
'use strict'
const { project, reportCrashes } = require('./lib/peer')
const crypto = require('crypto')
const identity = require('./lib/snap2p/identity')
const packages = project('stacks')
const stacks = packages('@stacks/transactions')
const encryption = packages('@stacks/encryption')
const c32 = packages('c32check')
const bip39 = packages('@scure/bip39')
const { wordlist } = packages('@scure/bip39/wordlists/english')
const { HDKey } = packages('@scure/bip32')

reportCrashes()

const hex = (text) => Buffer.from(text, 'hex')
const text = (bytes) => Buffer.from(bytes).toString('hex')
// The packages know a compressed key by the 01 behind it.
const compressed = (secret) => secret + '01'

const attempt = (work) => { try { return work() } catch { return null } }

// The wallet file of the reference, which on its own cannot be written by Node: scrypt wants more memory than Node allows by itself.
const scrypt = (password, salt) => crypto.scryptSync(password, salt, 32, { N: 131072, r: 8, p: 1, maxmem: 160 << 20 })

const commands = {
  address: ({ secret }) => ({
    public: stacks.privateKeyToPublic(compressed(secret)),
    mainnet: stacks.privateKeyToAddress(compressed(secret), 'mainnet'),
    testnet: stacks.privateKeyToAddress(compressed(secret), 'testnet')
  }),
  // What the text says as an address: its version and hash.
  read: ({ address }) => attempt(() => c32.c32addressDecode(address)),
  // The digest signed by theirs, in both orders.
  sign: ({ secret, digest }) => {
    const rsv = stacks.signMessageHashRsv({ messageHash: digest, privateKey: compressed(secret) })
    return { rsv, vrs: stacks.signWithKey(compressed(secret), digest) }
  },
  // The key that signed, from our signatures.
  recover: ({ digest, rsv, vrs }) => ({
    rsv: attempt(() => stacks.compressPublicKey(stacks.publicKeyFromSignatureRsv(digest, rsv))),
    vrs: attempt(() => stacks.compressPublicKey(stacks.publicKeyFromSignatureVrs(digest, vrs)))
  }),
  verifies: ({ message, signature, key }) =>
    ({ verified: attempt(() => encryption.verifyMessageSignatureRsv({ message, signature, publicKey: key })) === true }),
  attest: ({ secret, network, node, nonce, now }) =>
    text(identity.wire(identity.attest({ secret: hex(secret), network, node: hex(node), nonce: hex(nonce), now }))),
  verify: ({ attestation, network, now }) => attempt(() => {
    const read = identity.read(hex(attestation))
    return { principal: read.p, node: read.npk, nonce: text(read.nonce), issued: read.ts, expires: read.exp, fault: identity.fault(read, network, now) }
  }),
  // Words by their places in the list, and whether they are a mnemonic.
  words: ({ words }) => {
    const phrase = words.map((place) => wordlist[place]).join(' ')
    return { phrase, valid: bip39.validateMnemonic(phrase, wordlist) }
  },
  wallet: ({ entropy, accounts }) => {
    const mnemonic = bip39.entropyToMnemonic(hex(entropy), wordlist)
    const root = HDKey.fromMasterSeed(bip39.mnemonicToSeedSync(mnemonic))
    return {
      mnemonic,
      accounts: accounts.map((index) => {
        const secret = text(root.derive(`m/44'/5757'/0'/0/${index}`).privateKey)
        return { secret, ...commands.address({ secret }) }
      })
    }
  },
  open: ({ file, password }) => attempt(() => {
    const { version, network, address, displayName, crypto: { salt, iv, tag, ciphertext, kdf } } = JSON.parse(file)
    const bytes = (encoded) => Buffer.from(encoded, 'base64')
    const decipher = crypto.createDecipheriv('aes-256-gcm', scrypt(password, bytes(salt)), bytes(iv))
    decipher.setAuthTag(bytes(tag))
    const mnemonic = Buffer.concat([decipher.update(bytes(ciphertext)), decipher.final()]).toString()
    // The reference writes with an indent of two, and so its bytes are those of JSON.stringify.
    const same = JSON.stringify(JSON.parse(file), null, 2) === file
    return { version, network, address, displayName, kdf, mnemonic, same }
  }),
  seal: ({ mnemonic, password, network, address, displayName }) => {
    const [salt, iv] = [crypto.randomBytes(16), crypto.randomBytes(12)]
    const cipher = crypto.createCipheriv('aes-256-gcm', scrypt(password, salt), iv)
    const ciphertext = Buffer.concat([cipher.update(mnemonic), cipher.final()])
    const base64 = (bytes) => bytes.toString('base64')
    const sealed = { salt: base64(salt), iv: base64(iv), tag: base64(cipher.getAuthTag()), ciphertext: base64(ciphertext), kdf: 'scrypt' }
    return JSON.stringify({ version: 1, network, address, displayName, createdAt: new Date().toISOString(), crypto: sealed }, null, 2)
  }
}

let rest = ''
process.stdin.setEncoding('utf8')
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop()
  for (const line of lines) {
    const { do: name, ...question } = JSON.parse(line)
    process.stdout.write(JSON.stringify(commands[name](question)) + '\n')
  }
})
process.stdin.on('end', () => process.exit(0))
