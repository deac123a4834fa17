// Sessions of SNaP2P as the reference holds them, faults included:
//   - what comes in one read with the last frame of the handshake is lost, and the session with it;
//   - a frame that cannot be opened moves the counter on, and the session stays;
//   - there is no flow control, and one write is one frame;
//   - the dialler has no allowlist, and leaves its socket open when it gives up;
//   - the code of a stream that was closed is dropped: a refused stream has merely ended.
// What it does not copy is that some of these end the whole process.
'use strict'
const crypto = require('crypto')
const net = require('net')
const { Duplex } = require('stream')
const { EventEmitter } = require('events')
const cbor = require('./cbor')
const identity = require('./identity')
const noise = require('./noise')

const FRAME_MAX = 16 << 20
const STREAMS_MAX = 100
const FRAME_DEADLINE = 30000
const EMPTY = Buffer.alloc(0)

const T = {
  HELLO: 0x01, AUTH: 0x02, AUTH_OK: 0x03, AUTH_FAIL: 0x04, OPEN: 0x10, CLOSE: 0x11, DATA: 0x12, PING: 0x20, PONG: 0x21,
  KNOCK: 0x30, KNOCK_RESPONSE: 0x31, ERROR: 0xff
}

function varint (length) {
  const bytes = []
  for (; length > 127; length >>>= 7) bytes.push(length & 127 | 128)
  return Buffer.from([...bytes, length])
}

const framed = (payload) => Buffer.concat([varint(payload.length), payload])

// Cuts what comes into frames.
class Frames {
  constructor () { this.buffer = EMPTY }

  push (data) {
    this.buffer = this.buffer.length > 0 ? Buffer.concat([this.buffer, data]) : data
    const frames = []
    for (let frame; (frame = this.next()) !== null;) frames.push(frame)
    return frames
  }

  next () {
    let length = 0
    for (let at = 0; at < this.buffer.length; at++) {
      if (at === 5) throw new Error('Varint too large')
      length += (this.buffer[at] & 127) * 2 ** (7 * at)
      if (this.buffer[at] < 128) {
        if (length > FRAME_MAX) throw new Error(`Message too large: ${length} bytes (max: ${FRAME_MAX})`)
        if (this.buffer.length < at + 1 + length) return null
        const frame = this.buffer.subarray(at + 1, at + 1 + length)
        this.buffer = this.buffer.subarray(at + 1 + length)
        return frame
      }
    }
    return null
  }
}

// Frames of the handshake, one by one.
class Inbox {
  constructor (socket) {
    this.socket = socket
    this.frames = new Frames()
    this.waiting = []
    this.taken = null
    this.failed = null
    this.onData = (data) => {
      try { this.waiting.push(...this.frames.push(data)) } catch (error) { this.fail(error) }
      this.hand()
    }
    this.onClose = () => this.fail(new Error('Connection closed'))
    socket.on('data', this.onData).on('close', this.onClose).on('end', this.onClose)
  }

  fail (error) {
    this.failed = this.failed || error
    this.hand()
  }

  hand () {
    if (!this.taken || (this.waiting.length === 0 && !this.failed)) return
    const { resolve, reject, timer } = this.taken
    this.taken = null
    clearTimeout(timer)
    if (this.waiting.length > 0) resolve(this.waiting.shift())
    else reject(this.failed)
  }

  next () {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.fail(new Error('Handshake timed out')), FRAME_DEADLINE)
      this.taken = { resolve, reject, timer }
      this.hand()
    })
  }

  // What waits here is lost.
  leave () {
    this.socket.off('data', this.onData).off('close', this.onClose).off('end', this.onClose)
    return { lost: this.waiting.length > 0 || this.frames.buffer.length > 0 }
  }
}

// The other side says why not, or we do.
class Refused extends Error {
  constructor (code, reason) {
    super(reason || `refused with code ${code}`)
    this.code = code
    this.reason = reason
  }
}

// Fixed in the recorded conversations, otherwise random.
const draw = () => ({
  ephemeral: crypto.randomBytes(32),
  hello: crypto.randomBytes(32),
  attestation: crypto.randomBytes(32),
  session: crypto.randomBytes(32),
  clock: () => Math.floor(Date.now() / 1000)
})

// A node: a wallet's key, a node key, and how it behaves.
//   secret, seed: 32 bytes; network; visibility 0..2; allow: principals; tokens: hexadecimal
//   attestation: what AUTH carries instead of the true one; caps: of HELLO
class Node {
  constructor (options) {
    Object.assign(this, { network: 'mainnet', visibility: 0, allow: null, tokens: [], caps: [] }, options)
    this.keys = noise.nodeKey(this.seed)
    this.principal = identity.principal(this.secret, this.network)
  }

  // As responder and as dialler. `socket` is connected.
  accept (socket, random = draw()) { return new Handshake(this, socket, random, false).accept() }

  dial (socket, { token = null, random = draw() } = {}) { return new Handshake(this, socket, random, true).dial(token) }
}

class Handshake {
  constructor (node, socket, random, initiator) {
    Object.assign(this, { node, socket, random, initiator })
    this.inbox = new Inbox(socket)
  }

  write (payload) { this.socket.write(framed(payload)) }

  send (message) { this.write(this.keys.send.seal(cbor.encode(message))) }

  async receive () { return cbor.decode(this.keys.receive.open(await this.inbox.next())) }

  hello () {
    const { node, random } = this
    this.send({
      t: T.HELLO, v: 1, pk: node.keys.public, n: random.hello, ts: random.clock(), vis: node.visibility, cap: node.caps
    })
  }

  auth () {
    const { node, random } = this
    const attestation = node.attestation || identity.attest({
      secret: node.secret, network: node.network, node: node.keys.public, nonce: random.attestation, now: random.clock()
    })
    this.send({ t: T.AUTH, att: identity.wire(attestation), hd: EMPTY })
  }

  checkHello (hello) {
    if (hello.t !== T.HELLO) throw new Error('Expected HELLO')
    if (hello.v !== 1) throw new Error(`Unsupported version ${hello.v}`)
    if (hello.pk.length !== 32 || hello.n.length !== 32) throw new Error('Invalid HELLO')
    if (Math.abs(hello.ts - this.random.clock()) > identity.SKEW) throw new Error('Clock skew')
    this.hello_ = hello
  }

  // Who the other side is. Throws Refused for what the responder answers with AUTH_FAIL.
  checkAuth (auth) {
    if (auth.t !== T.AUTH) {
      // Whatever comes in place of AUTH is one and the same to the reference; the tests want to know.
      throw Object.assign(new Error('Expected AUTH'), { code: auth.t === T.AUTH_FAIL ? auth.ec : undefined, reason: auth.r })
    }
    const attestation = identity.read(auth.att)
    const fault = identity.fault(attestation, this.node.network, this.random.clock())
    if (fault) throw new Refused(6, fault)
    const agreement = noise.agreementOf(Buffer.from(attestation.npk, 'hex'))
    if (!agreement.equals(this.keys.remote)) throw new Refused(6, 'Node key does not match the Noise session')
    return attestation.p
  }

  establish (peer, id) {
    const { lost } = this.inbox.leave()
    return new Session(this, peer, id, lost)
  }

  async accept () {
    try {
      let first = await this.inbox.next()
      if (this.node.visibility === 2) {
        const knock = cbor.decode(first)
        if (knock.t !== T.KNOCK) throw this.clear(new Refused(18, 'Invite required'))
        if (!this.node.tokens.includes(knock.it.toString('hex'))) throw this.clear(new Refused(5, 'Invalid or expired invite token'))
        this.write(cbor.encode({ t: T.KNOCK_RESPONSE, a: true }))
        first = await this.inbox.next()
      }
      const states = noise.responder(this.node.keys.agreement, this.random.ephemeral)
      states.next()
      this.write(states.next(first).value)
      this.keys = states.next(await this.inbox.next()).value
      this.checkHello(await this.receive())
      this.hello()
      let peer
      try {
        peer = this.checkAuth(await this.receive())
        if (this.node.allow && !this.node.allow.includes(peer)) throw new Refused(4, 'Not allowed')
      } catch (error) {
        if (error instanceof Refused) this.send({ t: T.AUTH_FAIL, ec: error.code, r: error.reason || undefined })
        throw error
      }
      this.auth()
      this.send({ t: T.AUTH_OK, p: this.node.principal, sid: this.random.session })
      const ok = await this.receive()
      if (ok.t !== T.AUTH_OK) throw Object.assign(new Error('Expected AUTH_OK'), { code: ok.ec, reason: ok.r, told: true })
      return this.establish(peer, this.random.session)
    } catch (error) {
      // The reference destroys at once, and what it said last may be lost; so that the tests see it, it is let go first.
      this.inbox.leave()
      this.socket.end()
      throw error
    }
  }

  // A refusal before Noise goes in clear.
  clear (refused) {
    this.write(cbor.encode({ t: T.AUTH_FAIL, ec: refused.code, r: refused.reason }))
    return refused
  }

  async dial (token) {
    if (token) {
      this.write(cbor.encode({ t: T.KNOCK, it: token }))
      const answer = cbor.decode(await this.inbox.next())
      if (answer.t === T.AUTH_FAIL) throw new Refused(answer.ec, answer.r)
      if (answer.t !== T.KNOCK_RESPONSE || !answer.a) throw new Refused(5)
    }
    const states = noise.initiator(this.node.keys.agreement, this.random.ephemeral)
    this.write(states.next().value)
    this.keys = states.next(await this.inbox.next()).value
    this.write(this.keys.last)
    this.hello()
    this.checkHello(await this.receive())
    this.auth()
    const peer = this.checkAuth(await this.receive())
    const ok = await this.receive()
    if (ok.t === T.AUTH_FAIL) throw new Refused(ok.ec, ok.r)
    if (ok.t !== T.AUTH_OK) throw new Error('Expected AUTH_OK')
    // With `hasty`, the PING goes with AUTH_OK for certain, and not only if the moment is right.
    if (this.node.hasty) this.socket.cork()
    this.send({ t: T.AUTH_OK, p: this.node.principal, sid: ok.sid })
    const session = this.establish(peer, ok.sid)
    if (this.node.hasty) this.socket.uncork()
    return session
  }
}

// Events: 'stream' (of the other side), 'message' (each that was read), 'fault', 'close'.
class Session extends EventEmitter {
  constructor ({ node, socket, keys, random, initiator, hello_ }, peer, id, lost) {
    super()
    Object.assign(this, { node, socket, keys, random, initiator, peer, id, lost, capabilities: hello_.cap || [] })
    this.visibility = hello_.vis
    this.streams = new Map()
    this.nextStream = initiator ? 0 : 1
    this.pings = new Map()
    this.seq = 0
    const frames = new Frames()
    socket.on('data', (data) => {
      try { frames.push(data).forEach((frame) => this.frame(frame)) } catch (error) {
        this.emit('fault', error)
        this.close()
      }
    })
    socket.on('close', () => this.gone())
    // Two references lose each other by the fault above now and then; a dialler that waits for a frame never does.
    const patient = initiator && node.patient
    this.ready = patient ? new Promise((resolve) => this.once('message', resolve)).then(() => this.ping()) : Promise.resolve()
    if (!patient) this.ping()
    this.timer = setInterval(() => this.ping(), node.pingInterval || 30000)
  }

  send (message) {
    if (this.socket.destroyed || this.socket.writableEnded) return
    this.socket.write(framed(this.keys.send.seal(cbor.encode(message))))
  }

  ping () {
    const seq = this.seq++
    this.pings.set(seq, setTimeout(() => this.close(), this.node.pongTimeout || 10000))
    this.send({ t: T.PING, seq, ts: this.random.clock() })
  }

  frame (frame) {
    let message
    try { message = cbor.decode(this.keys.receive.open(frame)) } catch (error) { return this.emit('fault', error) }
    this.emit('message', message)
    const stream = this.streams.get(message.sid)
    switch (message.t) {
      case T.PING: return this.send({ t: T.PONG, seq: message.seq, ts: this.random.clock() })
      case T.PONG:
        clearTimeout(this.pings.get(message.seq))
        return this.pings.delete(message.seq)
      case T.OPEN: return this.opened(message, stream)
      case T.DATA:
        if (!stream) return this.send({ t: T.CLOSE, sid: message.sid, ec: 10 })
        if (message.d.length > 0) stream.push(message.d)
        if (message.f) stream.push(null)
        return
      case T.CLOSE: return stream && stream.closed()
      case T.HELLO: case T.AUTH: case T.AUTH_OK: case T.AUTH_FAIL: return
      default: return this.emit('fault', new Error(`Unknown message type: ${message.t}`))
    }
  }

  opened ({ sid, l = '' }, live) {
    if (live) return this.send({ t: T.CLOSE, sid, ec: 9 })
    if (this.streams.size >= STREAMS_MAX) return this.send({ t: T.CLOSE, sid, ec: 16 })
    const stream = new Stream(this, sid, l)
    this.emit('stream', stream)
  }

  open (label = '') {
    if (this.streams.size >= STREAMS_MAX) throw new Error('Too many streams')
    const id = this.nextStream
    this.nextStream += 2
    this.send({ t: T.OPEN, sid: id, l: label || undefined })
    return new Stream(this, id, label)
  }

  close () { this.socket.destroy() }

  gone () {
    clearInterval(this.timer)
    this.pings.forEach(clearTimeout)
    this.pings.clear()
    for (const stream of [...this.streams.values()]) stream.destroy(new Error('Connection closed'))
    this.emit('close')
  }
}

class Stream extends Duplex {
  constructor (session, id, label) {
    super({ allowHalfOpen: true })
    Object.assign(this, { session, id, label })
    session.streams.set(id, this)
    // A stream that nobody listens to must not end the process.
    this.on('error', () => {})
  }

  get live () { return this.session.streams.get(this.id) === this }

  _read () {}

  _write (data, _encoding, done) {
    if (this.live) this.session.send({ t: T.DATA, sid: this.id, d: data })
    done()
  }

  _final (done) {
    if (this.live) this.session.send({ t: T.DATA, sid: this.id, d: EMPTY, f: true })
    done()
  }

  _destroy (error, done) {
    if (this.live) {
      this.session.streams.delete(this.id)
      this.session.send({ t: T.CLOSE, sid: this.id, ec: error ? 17 : undefined })
    }
    done(error)
  }

  closed () {
    this.session.streams.delete(this.id)
    this.push(null)
    this.end()
  }
}

function connect (host, port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host, () => resolve(socket.off('error', reject).on('error', () => {})))
    socket.once('error', reject)
    prepare(socket)
  })
}

const prepare = (socket) => socket.setNoDelay(true).setKeepAlive(true, 30000)

module.exports = { Frames, Node, T, connect, framed, prepare, varint }
