#!/usr/bin/env node
import { readdirSync, readFileSync } from 'node:fs'
/**
 * npm run test:model [-- --full] [-- --only NAME]
 *
 * Searches the spin model of an attempt's life exhaustively: every mutant must be caught, then the model must hold in
 * each size (cases.mjs). Before that, every file:function that the model names must be there, and every function that
 * moves an attempt must be named.
 */
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { finish, report, run, runJobs, skip } from '../support/proofs.mjs'
import { fullModels, models, mutants } from './cases.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../../', import.meta.url))
const { values: options } = parseArgs({ options: { full: { type: 'boolean' }, only: { type: 'string' } } })

/** Two searches at once, each with so much. */
const searches = 2
const memoryMiB = options.full ? 4_000 : 1_500
const hashBits = options.full ? 26 : 24
const secondsAtMost = options.full ? 600 : 120

const folderOf = {
  'registry.ts': 'src/bridge',
  'connect.ts': 'src/call',
  'descriptor.ts': 'src/bridge',
  'lane-pool.ts': 'src/engines',
  'staging.ts': 'src/engines',
  'nonblocking.ts': 'src/engines',
}

/** A definition begins its line; in TypeScript and C++ templates it may stand after a word or an indent. */
function defines(file, name) {
  const text = readFileSync(join(root, folderOf[file] ?? 'native', file), 'utf8')
  const escaped = name.replace('#', '\\#')
  return new RegExp(`^(?:  async |  |[a-z][\\w \\*]*[ \\*]|Value )?${escaped}\\((?:.*\\{)?$`, 'm').test(text)
}

/** The functions of a file that write a word or end, post or free an attempt, or cancel a thread. */
function movers(file) {
  const text = readFileSync(join(root, 'native', file), 'utf8')
  const functions = text.matchAll(/^[a-z][\w *]*?(\w+)\([^;{]*\) \{$([\s\S]*?)^\}$/gm)
  const moves =
    /word_of\(|\bsettle\(|attempt_free\(|outbox_post\(|pthread_cancel\(lane|nonblocking_\w+\(|attempt_take_watched\(/
  return [...functions].filter(([, , body]) => moves.test(body)).map(([, name]) => `${file}:${name}`)
}

function checkNames() {
  const model = readdirSync(here)
    .filter((file) => file.endsWith('.pml'))
    .map((file) => readFileSync(join(here, file), 'utf8'))
    .join('\n')
  const references = model.matchAll(/\b([a-z_-]+\.(?:cc|c|ts)):(#?\w+)/g)
  const named = new Set(Array.from(references, ([, file, name]) => `${file}:${name}`))
  const missing = [...named].filter((reference) => !defines(...reference.split(':')))
  report(`${named.size} functions that the model names exist`, missing.length > 0 ? missing.join(', ') : undefined)

  const moving = [
    'registry.c',
    'lane.c',
    'lane_group.c',
    'outbox.c',
    'reaper.c',
    'cancels.c',
    'inbox.c',
    'nonblocking.c',
    'reactor.c',
    'reactors.c',
  ].flatMap(movers)
  const unnamed = moving.filter((reference) => !named.has(reference))
  report(
    `${moving.length} functions that move an attempt are named by the model`,
    unnamed.length > 0 ? unnamed.join(', ') : undefined,
  )
}

/** Compiling with optimisation takes longer than all but the longest searches. */
const optimised = (name) => (fullModels.some((model) => model.name === name) ? '-O2' : '-O0')

/** What pan found: how many states, and the error's name where there is one or the search did not finish. */
async function search({ name, sizes, liveness = false }, mutant) {
  const cwd = await mkdtemp(join(tmpdir(), 'cancelpoint-model-'))
  try {
    await cp(here, cwd, { recursive: true })
    const macros = Object.entries(sizes).map(([macro, value]) => `-D${macro}=${value}`)
    if (mutant) macros.push(`-DMUTANT_${mutant}`)
    const generated = await run('spin', ['-a', ...macros, 'attempt.pml'], { cwd })
    const settings = ['-DCOLLAPSE', `-DMEMLIM=${memoryMiB}`, liveness ? '-DNP' : '-DSAFETY']
    const compiled = await run('gcc', [optimised(name), '-w', '-o', 'pan', 'pan.c', ...settings], { cwd })
    if (generated.code !== 0 || compiled.code !== 0)
      return { error: `did not build\n${generated.output}${compiled.output}` }
    const { output, killed } = await run('./pan', ['-m100000', `-w${hashBits}`, '-n', ...(liveness ? ['-l'] : [])], {
      cwd,
      seconds: secondsAtMost,
    })
    const states = output.match(/(\S+) states, stored/)?.[1]
    const error = output.match(/^pan:\d+: (.*?)(?: \(at depth.*)?$/m)?.[1].replace('assertion violated ', '')
    const cutShort = killed || !/errors: 0/.test(output) || /-DMEMLIM|depth too small|not completed/.test(output)
    if (!error && cutShort) return { error: `not finished in ${secondsAtMost} s and ${memoryMiB} MiB\n${output}` }
    return { states, error }
  } finally {
    await rm(cwd, { recursive: true })
  }
}

async function checkMutant(mutant) {
  const { error } = await search(mutant, mutant.name)
  const caught = mutant.fails.some((property) => error?.includes(property))
  report(
    `mutant ${mutant.name}: ${caught ? error : `expected ${mutant.fails.join(' or ')}`}`,
    caught ? undefined : (error ?? 'no error'),
  )
}

async function checkModel(model) {
  const { states, error } = await search(model)
  report(`model, ${model.name}${states ? `: ${states} states` : ''}`, error)
}

const chosen = (cases) => cases.filter(({ name }) => options.only === undefined || name.includes(options.only))

checkNames()
if ((await run('spin', ['-V'])).code === 0) {
  const sized = options.full ? [...fullModels, ...models] : models
  const jobs = [
    ...chosen(mutants).map((mutant) => () => checkMutant(mutant)),
    ...chosen(sized).map((model) => () => checkModel(model)),
  ]
  await runJobs(jobs, searches)
} else {
  skip('the spin model and its mutants', 'spin is not installed (apt-get install spin)')
}
finish()
