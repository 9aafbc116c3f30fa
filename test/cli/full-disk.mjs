// @ts-check
/** A file of states on a disk that fills up and has room again. Run in a mount namespace: mounts a small tmpfs over its first argument. */
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { loadStates, StateFile } from '#internal/cli/state/file'

const folder = String(process.argv[2])
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'none', folder])
const path = join(folder, 'states.jsonl')
const filler = join(folder, 'filler')

function fill() {
  const descriptor = openSync(filler, 'w')
  try {
    for (;;) writeSync(descriptor, Buffer.alloc(1_024))
  } catch {
    closeSync(descriptor)
  }
}

/** @param {() => boolean | Promise<boolean>} holds */
async function until(holds) {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5))
}

/** @type {Map<string, { target: string, state: 'up' | 'down', since: number }>} */
const known = new Map()
/** @type {string[]} */
const said = []
const options = {
  say: (/** @type {string} */ line) => void said.push(line),
  limits: { retryMs: 20, waitingBytes: 20_000 },
}

/** @param {StateFile} file @param {number} count */
function change(file, count) {
  for (let each = 0; each < count; each += 1) {
    const target = `t${each % 50}:1`
    const state = known.get(target)?.state === 'up' ? 'down' : 'up'
    const since = (known.get(target)?.since ?? 0) + 1
    known.set(target, { target, state, since })
    file.note({ target, to: state, at: since })
  }
}

const isAllThere = async () =>
  JSON.stringify(sorted(await loadStates(path))) === JSON.stringify(sorted([...known.values()]))
/** @param {{ target: string }[]} states */
const sorted = (states) => states.toSorted((a, b) => (a.target < b.target ? -1 : 1))

/** What is said in each of the cases. @type {Record<string, string[]>} */
const told = {}

let file = await StateFile.open(path, options)
file.follow({ health: () => known.values() })
change(file, 60)
await file.flushed()
for (const [name, count] of /** @type {[string, number][]} */ ([
  ['little', 200],
  ['much', 5_000],
])) {
  fill()
  change(file, count)
  await until(() => said.length > 0)
  await new Promise((resolve) => setTimeout(resolve, 150))
  change(file, 10)
  // What is there can be read, however old it is.
  const { length } = await loadStates(path)
  if (length !== 50) throw new Error(`${length} states are left of 50`)
  rmSync(filler)
  await until(() => said.length > 1)
  await until(isAllThere)
  told[name] = said.splice(0)
}
fill()
change(file, 200)
await file.flushed()
await file.close()
told.closed = said.splice(0)

file = await StateFile.open(path, options)
file.follow({ health: () => known.values() })
change(file, 10)
rmSync(filler)
await until(() => said.length > 1)
await until(isAllThere)
await file.close()
told.opened = said.splice(0)
console.log(JSON.stringify({ told, left: readdirSync(folder) }))
