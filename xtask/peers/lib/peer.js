// What every peer script shares: arguments, one JSON line per fact, packages by project, and an end when the parent is gone.
'use strict'
const { createRequire } = require('module')
const path = require('path')

// `--name value` pairs, as in `--port 0 --v 8`.
exports.args = function () {
  const out = {}
  for (let i = 2; i < process.argv.length; i += 2) out[process.argv[i].replace(/^--/, '')] = process.argv[i + 1]
  return out
}

// Prints one fact. The harness reads nothing else from standard output.
exports.say = function (event, fields = {}) {
  process.stdout.write(JSON.stringify({ event, ...fields }) + '\n')
}

// `require` of the packages pinned in one of the projects beside this folder: core, mux6 or stack6.
exports.project = (name) => createRequire(path.join(__dirname, '..', name, 'package.json'))

// No orphans: whoever started this script holds its standard input open for as long as it is wanted.
exports.exitWithParent = function () {
  process.stdin.on('end', () => process.exit(0))
  process.stdin.on('error', () => process.exit(0))
  process.stdin.resume()
}

// An error that nobody catches is a fact about this peer; it must not pass for a quiet end.
exports.reportCrashes = function () {
  process.on('uncaughtException', (err) => {
    exports.say('crash', { message: err.message, stack: err.stack })
    process.exitCode = 1
    setTimeout(() => process.exit(1), 50)
  })
}

// An identity from a seed of 64 hexadecimal digits, in the shapes that the packages want.
exports.identity = function (seedHex) {
  const sodium = exports.project('core')('chloride')
  const { publicKey, secretKey } = sodium.crypto_sign_seed_keypair(Buffer.from(seedHex, 'hex'))
  const text = (bytes) => bytes.toString('base64') + '.ed25519'
  const ssb = { curve: 'ed25519', public: text(publicKey), private: text(secretKey), id: '@' + text(publicKey) }
  return { publicKey, secretKey, ssb }
}

// Case files name big values by a recipe; `expand` makes them.
exports.expand = function expand (value) {
  if (Array.isArray(value)) return value.map(expand)
  if (value === null || typeof value !== 'object') return value
  if (typeof value.$text === 'number') return 'x'.repeat(value.$text)
  if (typeof value.$bytes === 'number') return exports.bytes(value.$bytes)
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, expand(v)]))
}

// Bytes whose value follows their place, so that a lost or doubled piece shows.
exports.bytes = (length) => Buffer.from(Uint8Array.from({ length }, (_, i) => (i * 7 + 3) & 255))

// The form in which results are compared: buffers and long texts go back to their recipe, or say that they are damaged.
exports.summary = function summary (value) {
  if (value === undefined) return { $undefined: true }
  if (Buffer.isBuffer(value)) return recipe('$bytes', value, value.equals(exports.bytes(value.length)))
  if (typeof value === 'string' && value.length > 256) return recipe('$text', value, value === 'x'.repeat(value.length))
  if (Array.isArray(value)) return value.map(summary)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, summary(v)]))
}

const recipe = (kind, value, intact) => intact ? { [kind]: value.length } : { [kind]: value.length, damaged: true }

// The part of an error that both sides can compare: stacks are local to each machine.
exports.errorSummary = function (err) {
  if (err instanceof Error || (err && typeof err === 'object')) {
    const out = {}
    if (err.name !== undefined) out.name = err.name
    if (err.message !== undefined) out.message = err.message
    return out
  }
  return { thrown: String(err) }
}
