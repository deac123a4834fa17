// What V8 makes of texts. Each line of standard input is a text, its UTF-8 in hexadecimal; the answer is a line as well:
// null if JSON.parse refuses the text, or else a list of the text printed compact and printed pretty.
'use strict'

const answer = (text) => {
  let value
  try { value = JSON.parse(text) } catch { return null }
  return [JSON.stringify(value), JSON.stringify(value, null, 2)]
}

let rest = ''
process.stdin.setEncoding('latin1')
process.stdin.on('data', (chunk) => {
  const lines = (rest + chunk).split('\n')
  rest = lines.pop()
  const answers = lines.map((line) => JSON.stringify(answer(Buffer.from(line, 'hex').toString('utf8'))) + '\n')
  process.stdout.write(answers.join(''))
})
process.stdin.on('end', () => process.exit(0))
