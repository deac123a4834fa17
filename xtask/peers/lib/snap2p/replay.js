// The recorded conversations, played by both sides of lib/snap2p with the randomness of the recording. Every frame has to be the
// recorded one: that is what makes this a stand-in for the reference.
'use strict'
const { Duplex } = require('stream')
const cbor = require('./cbor')
const { Frames, Node, T } = require('./session')

const hex = (text) => Buffer.from(text, 'hex')

// One end of a wire in memory; it keeps the frames that it sent.
class End extends Duplex {
  constructor () {
    super()
    this.parser = new Frames()
    this.sent = []
  }

  _read () {}

  _write (data, _encoding, done) {
    this.sent.push(...this.parser.push(data).map((frame) => frame.toString('hex')))
    setImmediate(() => this.other.push(data))
    done()
  }
}

async function replay ({ sessions }) {
  const outcome = []
  for (const recorded of sessions) outcome.push(...await replayOne(recorded))
  return outcome
}

async function replayOne (recorded) {
  const said = (side, type) => cbor.decode(hex(recorded.frames.find((frame) => frame.from === side && frame.type === type).plaintext))
  const random = (side) => ({
    ephemeral: hex(recorded[side].ephemeral_private),
    hello: said(side, 'HELLO').n,
    attestation: cbor.decode(said(side, 'AUTH').att).nonce,
    session: hex(recorded.session_id),
    clock: () => Number(recorded.clock)
  })
  const node = (side) => new Node({ secret: hex(recorded[side].wallet_private_key), seed: hex(recorded[side].node_seed) })
  const [one, other] = [new End(), new End()]
  Object.assign(one, { other })
  Object.assign(other, { other: one })
  const [initiator, responder] = await Promise.all([
    node('initiator').dial(one, { random: random('initiator') }),
    node('responder').accept(other, random('responder'))
  ])
  responder.on('stream', (stream) => stream.pipe(stream))
  const heard = (session, type, count = 1) => new Promise((resolve) => session.on('message', ({ t }) => {
    if (t === type && --count === 0) resolve()
  }))
  await Promise.all([heard(initiator, T.PONG), heard(responder, T.PONG)])
  const stream = initiator.open('echo')
  stream.write(Buffer.from(said('initiator', 'STREAM_DATA').d))
  await heard(initiator, T.DATA)
  stream.end()
  stream.resume()
  await Promise.all([heard(initiator, T.CLOSE), heard(responder, T.CLOSE)])
  initiator.gone()
  responder.gone()
  return [['initiator', one], ['responder', other]].map(([side, end]) => {
    const frames = recorded.frames.filter(({ from }) => from === side).map(({ frame }) => frame)
    return { side, frames: frames.length, alike: frames.filter((frame, i) => frame === end.sent[i]).length, surplus: end.sent.length - frames.length }
  })
}

module.exports = { replay }
