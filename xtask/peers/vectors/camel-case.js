// Computes camel-case.json anew: takes the names from the frozen file named as argument, and their camel case from
// to-camel-case, which secret-stack gives the names of plugins to.
'use strict'
const fs = require('fs')
const { project } = require('../lib/peer')
const load = project('core')
const camelCase = load('to-camel-case')

const frozen = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))
const vectors = frozen.vectors.map(({ name }) => ({ name, camel: camelCase(name) }))
console.log(JSON.stringify({ vectors }))
