// Lab listeners in a process of their own: their accepted connections do not blur the counts of the process under test.
// Prints one line of JSON, target by behaviour, and ends with its standard input.
import { behaviours } from '#internal/lab/behaviours'

const targets = {}
for (const [behaviour, { open }] of Object.entries(behaviours)) {
  const { place } = await open()
  targets[behaviour] = 'port' in place ? `127.0.0.1:${place.port}` : `unix:@${place.name}`
}
console.log(JSON.stringify(targets))
process.stdin.resume().on('end', () => process.exit())
