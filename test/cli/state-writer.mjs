// @ts-check
/**
 * Changes states at random and notes them, until it is killed. Of each round that is in the file it prints a line, which is out
 * before the next round begins.
 */
import { writeSync } from 'node:fs'
import { StateFile } from '#internal/cli/state/file'

const [, , path, count] = process.argv
/** @type {Map<string, { target: string, state: 'up' | 'down', since: number }>} */
const known = new Map()
const file = await StateFile.open(String(path), {
  say: (line) => writeSync(2, `${line}\n`),
  limits: { growBytes: 4_096, linesPerSlice: 20 },
})
for (const { target, state, since } of file.states) known.set(target, { target, state, since })
let at = Math.max(0, ...[...known.values()].map(({ since }) => since))
file.follow({ health: () => known.values() })
writeSync(1, `begun ${known.size}\n`)
for (;;) {
  for (let each = 0; each < 5; each += 1) {
    at += 1
    const target = `t${Math.floor(Math.random() * Number(count))}:1`
    const state = known.get(target)?.state === 'up' ? 'down' : 'up'
    known.set(target, { target, state, since: at })
    file.note({ target, to: state, at })
  }
  const all = [...known.values()].map(({ target, state, since }) => [target, state, since])
  await file.flushed()
  writeSync(1, `${JSON.stringify(all)}\n`)
}
