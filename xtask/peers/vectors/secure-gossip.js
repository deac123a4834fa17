// Computes secure-gossip.json anew: takes the keys, the published texts and the pieces that are written from the frozen file
// named as argument, and everything else from secure-gossip.
'use strict'
const fs = require('fs')
const { project } = require('../lib/peer')
const Gossip = project('sg')('secure-gossip')

const frozen = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const node = (name) => new Gossip({ keys: frozen.keys[name], interval: -1 })
const hex = (text) => Buffer.from(text, 'utf8').toString('hex')

// The package's streams pass things on in later turns of the event loop.
const settled = async () => { for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve)) }

// A - B - C: what stands on each link, and what each node delivers, in three rounds.
async function line () {
  const nodes = { A: node('g1'), B: node('g2'), C: node('g3') }
  const wire = []
  const delivered = []
  let round = 1
  for (const [at, gossip] of Object.entries(nodes)) {
    gossip.on('message', (msg, info) => delivered.push({ round, at, msg, from: info.public }))
  }
  for (const [one, other] of ['AB', 'BC']) {
    const here = nodes[one].createPeerStream()
    const there = nodes[other].createPeerStream()
    for (const [from, to, link] of [[here, there, `${one}>${other}`], [there, here, `${other}>${one}`]]) {
      from.on('data', (text) => {
        wire.push({ round, link, bytes: Buffer.from(text).toString('hex'), text: text.toString() })
        to.write(text)
      })
    }
  }
  for (const { by, text } of frozen.published_on_the_line) nodes[by].publish(JSON.parse(text))
  for (; round <= 3; round++) {
    for (const gossip of Object.values(nodes)) {
      gossip.gossip()
      await settled()
    }
  }
  return { wire, delivered }
}

// What a node takes from the pieces that a peer writes.
async function reading ({ written }) {
  const gossip = node('g3')
  const emitted = []
  gossip.on('message', (m, info) => emitted.push({ m, from: info.public }))
  const stream = gossip.createPeerStream()
  for (const piece of written) {
    stream.write(piece)
    await settled()
  }
  return { emitted, stored_for_relay: gossip.store }
}

async function late () {
  const gossip = node('g1')
  const early = gossip.createPeerStream()
  gossip.publish({ early: true })
  gossip.gossip()
  const tooLate = gossip.createPeerStream()
  gossip.gossip()
  await settled()
  return { early: early.read() !== null, late: tooLate.read() !== null, store: gossip.store.length }
}

async function main () {
  const reader = node('g1')
  // Published one after the other by one node, so that seq counts up.
  const published = frozen.published.map(({ label, text }) => {
    reader.publish(JSON.parse(text))
    return { label, line: reader.store[reader.store.length - 1] }
  })
  const quirks = {}
  for (const [label, quirk] of Object.entries(frozen.quirks)) quirks[label] = await reading(quirk)
  const first = JSON.stringify(JSON.parse(frozen.published_on_the_line[0].text), null, 2)
  console.log(JSON.stringify({
    signed_bytes_of_first: hex(first), ...await line(), published, quirks, peer_that_comes_after_the_round: await late()
  }))
}

main()
