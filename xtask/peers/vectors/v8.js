// Computes v8.json anew: takes the texts from the frozen file named as argument, and from V8 what it makes of them.
'use strict'
const fs = require('fs')

const frozen = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const vectors = frozen.vectors.map(({ text }) => {
  try {
    const value = JSON.parse(text)
    return { text, compact: JSON.stringify(value), pretty: JSON.stringify(value, null, 2) }
  } catch {
    return { text, compact: null, pretty: null }
  }
})
console.log(JSON.stringify({ vectors }))
