// Computes boxstream.json anew: takes keys, nonces and inputs from the frozen file named as argument, and everything else from
// pull-box-stream.
'use strict'
const fs = require('fs')
const { project } = require('../lib/peer')
const load = project('core')
const boxes = load('pull-box-stream')
const pull = load('pull-stream')

const frozen = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const bytes = (hex) => Buffer.from(hex, 'hex')

// Everything that a stream yields, and the text of the error with which it ends, if it does.
function drain (source, through) {
  const items = []
  let error = null
  pull(source, through, pull.drain((item) => { items.push(item) }, (end) => { if (end && end !== true) error = end.message }))
  return { items, error }
}

function encode ({ label, key, nonce, plain_chunks: chunks }) {
  const written = drain(pull.values(chunks.map(bytes)), boxes.createBoxStream(bytes(key), bytes(nonce))).items
  const cipher = Buffer.concat(written)
  const read = drain(pull.values([cipher]), boxes.createUnboxStream(bytes(key), bytes(nonce)))
  return {
    label,
    written_pieces: written.map((piece) => piece.length),
    cipher: cipher.toString('hex'),
    decoded_packet_lengths: read.items.map((packet) => packet.length),
    decode_ok: read.error === null && Buffer.concat(read.items).equals(Buffer.concat(chunks.map(bytes)))
  }
}

function decode ({ label, key, nonce, cipher, packets_ok: frozenPackets }) {
  const { items, error } = drain(pull.values(cipher.map(bytes)), boxes.createUnboxStream(bytes(key), bytes(nonce)))
  // The file holds the length alone where the bytes say nothing more.
  const packets = items.map((packet, i) => typeof frozenPackets[i] === 'number' ? packet.length : packet.toString('hex'))
  return { label, packets_ok: packets, error }
}

console.log(JSON.stringify({ encode: frozen.encode.map(encode), decode_edge: frozen.decode_edge.map(decode) }))
