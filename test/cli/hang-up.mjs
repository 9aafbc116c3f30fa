// @ts-check
/** A process that reads its list again on SIGHUP, and would be interrupted by it otherwise. */
import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { interrupted, spareHangUp } from '#internal/cli/interrupt'
import { reloading } from '#internal/cli/watch/reloading'

const file = String(process.argv[2])
let isSaid = () => {}
const said = () =>
  new Promise((resolve) => {
    isSaid = () => resolve(undefined)
  })

const reloader = reloading({
  files: [file],
  read: async () => ({ entries: (await readFile(file, 'utf8')).trim().split('\n') }),
  apply: (entries) => console.log(`applied ${entries}`),
  say: (line) => {
    console.log(`said ${line}`)
    isSaid()
  },
  current: ['a:1'],
  // Nothing tells of changes but the signal.
  limits: { quietMs: 3_600_000, atMostMs: 3_600_000 },
})
spareHangUp()
await reloader.ready
const keep = setInterval(() => {}, 1_000)
for (const text of [undefined, 'hang-up:1\n']) {
  if (text !== undefined) writeFileSync(file, text)
  const once = said()
  process.kill(process.pid, 'SIGHUP')
  await once
}
await reloader[Symbol.asyncDispose]()
console.log(`interrupted ${interrupted.aborted}`)
clearInterval(keep)
