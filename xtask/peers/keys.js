// What ssb-ref, ssb-uri2 and ssb-keys make of our references and of our secret file, and some of their own for us to read.
// --texts JSON (a list of texts to judge) --load PATH (a secret file of ours) --create PATH (where to put one of theirs)
'use strict'
const { args, say, project, exitWithParent, reportCrashes, bytes } = require('./lib/peer')

const { texts = '[]', load, create } = args()
reportCrashes()
exitWithParent()
const packages = project('core')
const ref = packages('ssb-ref')
const uri = packages('ssb-uri2')
const keys = packages('ssb-keys')

const judges = {
  feed: ref.isFeed,
  message: ref.isMsg,
  blob: ref.isBlob,
  cloaked: ref.isCloakedMsg,
  'feed URI': uri.isClassicFeedSSBURI,
  'message URI': uri.isClassicMessageSSBURI,
  'blob URI': uri.isClassicBlobSSBURI,
  'cloaked URI': uri.isCloakedV1MessageSSBURI
}
const judge = (text) => Object.keys(judges).filter((kind) => {
  try { return judges[kind](text) === true } catch { return false }
})
const sigil = { 'feed URI': uri.toFeedSigil, 'message URI': uri.toMessageSigil, 'blob URI': uri.toBlobSigil }

for (const text of JSON.parse(texts)) {
  const kinds = judge(text)
  const back = kinds.map((kind) => sigil[kind]).find(Boolean)
  say('judged', { text, kinds, sigil: back ? back(text) : null })
}

// References as these packages write them. The bytes are chosen so that their base64 has both letters that URIs change.
const data = bytes(32).fill(0xfb, 0, 8).fill(0xff, 8, 16).toString('base64')
const made = { feed: `@${data}.ed25519`, message: `%${data}.sha256`, blob: `&${data}.sha256`, cloaked: `%${data}.cloaked` }
say('made', {
  ...made,
  'feed URI': uri.fromFeedSigil(made.feed),
  'message URI': uri.fromMessageSigil(made.message),
  'blob URI': uri.fromBlobSigil(made.blob),
  'cloaked URI': uri.compose({ type: 'message', format: 'cloaked', data })
})

if (load) {
  const { curve, public: key, private: secret, id } = keys.loadSync(load)
  // A signature shows that the private half is usable, not merely readable.
  const signed = keys.signObj({ curve, public: key, private: secret, id }, { kia: 'ora' })
  say('loaded', { id, public: key, private: secret, verified: keys.verifyObj(id, signed) })
}
if (create) say('created', { id: keys.createSync(create).id })
say('done')
process.exit(0)
