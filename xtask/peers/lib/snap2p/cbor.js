// CBOR as SNaP2P uses it: maps with text keys in plain text order, minimal integers, definite lengths. Read more leniently.
'use strict'

function head (major, value) {
  const n = BigInt(value)
  const first = major << 5
  if (n < 24n) return Buffer.from([first | Number(n)])
  const width = n < 0x100n ? 1 : n < 0x10000n ? 2 : n < 0x100000000n ? 4 : 8
  const bytes = Buffer.from(n.toString(16).padStart(2 * width, '0'), 'hex')
  return Buffer.concat([Buffer.from([first | { 1: 24, 2: 25, 4: 26, 8: 27 }[width]]), bytes])
}

function encode (value) {
  if (typeof value === 'number' || typeof value === 'bigint') return head(0, value)
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4])
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (value instanceof Uint8Array) return Buffer.concat([head(2, value.length), value])
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encode)])
  const keys = Object.keys(value).filter((key) => value[key] !== undefined).sort()
  return Buffer.concat([head(5, keys.length), ...keys.flatMap((key) => [encode(key), encode(value[key])])])
}

const SIMPLE = { 20: false, 21: true, 22: null, 23: undefined }
const BREAK = Symbol('break')

function decode (bytes) {
  let at = 0
  const take = (length) => {
    if (at + length > bytes.length) throw new Error('CBOR ends early')
    at += length
    return bytes.subarray(at - length, at)
  }
  // The argument of a head; null stands for an indefinite length.
  const argument = (info) => {
    if (info < 24) return info
    if (info === 31) return null
    if (info > 27) throw new Error(`CBOR has no lengths of kind ${info}`)
    const n = BigInt('0x' + take({ 24: 1, 25: 2, 26: 4, 27: 8 }[info]).toString('hex'))
    return n <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(n) : n
  }
  const items = (count, read) => {
    const out = []
    while (count === null || out.length < count) {
      const one = read()
      if (one === BREAK) return out
      out.push(one)
    }
    return out
  }
  const chunks = (count) => count === null ? Buffer.concat(items(null, value)) : take(count)
  function value () {
    const first = take(1)[0]
    const [major, info] = [first >> 5, first & 31]
    if (first === 0xff) return BREAK
    if (major === 7) {
      if (!(info in SIMPLE)) throw new Error(`CBOR has no simple value ${info} here`)
      return SIMPLE[info]
    }
    const count = argument(info)
    if (major === 0) return count
    if (major === 1) return -1 - Number(count)
    if (major === 2) return chunks(count)
    if (major === 3) return (count === null ? items(null, value).join('') : take(count).toString())
    if (major === 4) return items(count, value)
    if (major === 6) throw new Error('CBOR tags have no place here')
    return Object.fromEntries(items(count, () => {
      const key = value()
      if (key === BREAK) return BREAK
      if (typeof key !== 'string') throw new Error('CBOR keys are texts here')
      return [key, value()]
    }))
  }
  const whole = value()
  if (at !== bytes.length) throw new Error('bytes behind the CBOR')
  return whole
}

module.exports = { encode, decode }
