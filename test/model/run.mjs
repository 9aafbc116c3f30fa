/**
 * Checks the spin model of an attempt's life, exhaustively, and that its mutants are caught: npm run test:model [-- --full] [--only=NAME]
 * First that every file:function the model names is there, and that every function that moves a word is named.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { fullModels, models, mutants } from './cases.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '../..')
const full = process.argv.includes('--full')
const only = process.argv.find((argument) => argument.startsWith('--only='))?.slice('--only='.length)
const memoryMiB = full ? 8_000 : 2_000
const secondsAtMost = full ? 900 : 120

let passed = 0
let failed = 0

function report(name, problem, detail = '') {
  if (problem) failed++
  else passed++
  console.log(`${problem ? 'FAILED' : 'ok'}  ${name}${detail ? `: ${detail}` : ''}${problem ? `: ${problem}` : ''}`)
}

const modelText = () =>
  readdirSync(here)
    .filter((file) => file.endsWith('.pml'))
    .map((file) => readFileSync(join(here, file), 'utf8'))
    .join('\n')

const folderOf = { 'attempts.ts': 'src', 'blocking.ts': 'src/engines' }

/** A definition begins its line; in TypeScript and C++ templates it may stand after a word or an indent. */
function defines(file, name) {
  const text = readFileSync(join(root, folderOf[file] ?? 'native', file), 'utf8')
  const escaped = name.replace('#', '\\#')
  return new RegExp(`^(?:  async |  |[a-z][\\w \\*]*[ \\*]|Value )?${escaped}\\(.*\\{$`, 'm').test(text)
}

function checkNames() {
  const named = new Set(
    [...modelText().matchAll(/\b([a-z_]+\.(?:cc|c|ts)):(#?\w+)/g)].map(([, file, name]) => `${file}:${name}`),
  )
  const missing = [...named].filter((reference) => !defines(...reference.split(':')))
  report(`${named.size} functions named by the model exist`, missing.length > 0 && `not found: ${missing.join(', ')}`)

  const moving = ['registry.c', 'lane.c', 'lane_group.c', 'outbox.c', 'reaper.c'].flatMap((file) => movers(file))
  const unnamed = moving.filter((reference) => !named.has(reference))
  report(
    `${moving.length} functions that move an attempt are named by the model`,
    unnamed.length > 0 && unnamed.join(', '),
  )
}

/** The functions of a file that write a word or end, post or free an attempt, or cancel a thread. */
function movers(file) {
  const text = readFileSync(join(root, 'native', file), 'utf8')
  const functions = text.matchAll(/^[a-z][\w *]*?(\w+)\([^;{]*\) \{$([\s\S]*?)^\}$/gm)
  const moves = /word_of\(|\bsettle\(|attempt_free\(|outbox_post\(|pthread_cancel\(lane/
  return [...functions].filter(([, , body]) => moves.test(body)).map(([, name]) => `${file}:${name}`)
}

function run(command, args, directory, seconds = 60) {
  const result = spawnSync(command, args, { cwd: directory, encoding: 'utf8', timeout: seconds * 1_000 })
  return {
    text: `${result.stdout ?? ''}${result.stderr ?? ''}`,
    timedOut: result.error?.code === 'ETIMEDOUT',
    ok: result.status === 0,
  }
}

/** What pan found: the error's name, or that the search did not finish. */
function verify({ sizes, liveness = false }, mutant) {
  const directory = mkdtempSync(join(tmpdir(), 'attempt-model-'))
  try {
    cpSync(here, directory, { recursive: true })
    const defines = Object.entries(sizes).map(([name, value]) => `-D${name}=${value}`)
    if (mutant) defines.push(`-DMUTANT_${mutant}`)
    const generated = run('spin', ['-a', ...defines, 'attempt.pml'], directory)
    const compiled = run(
      'gcc',
      [
        mutant ? '-O0' : '-O2',
        '-w',
        '-o',
        'pan',
        'pan.c',
        '-DCOLLAPSE',
        `-DMEMLIM=${memoryMiB}`,
        liveness ? '-DNP' : '-DSAFETY',
        '-DNFAIR=3',
      ],
      directory,
    )
    if (!generated.ok || !compiled.ok) return { error: `did not build\n${generated.text}${compiled.text}` }
    const { text, timedOut } = run(
      './pan',
      ['-m1000000', '-n', ...(liveness ? ['-l', '-f'] : [])],
      directory,
      secondsAtMost,
    )
    const states = text.match(/(\S+) states, stored/)?.[1] ?? '?'
    const error = text.match(/^pan:\d+: (.*?)(?: \(at depth.*)?$/m)?.[1].replace('assertion violated ', '')
    if (error) return { states, error }
    const finished =
      !timedOut && /errors: 0/.test(text) && !/reached -DMEMLIM|max search depth too small|not completed/.test(text)
    return {
      states,
      error: finished ? undefined : `the search did not finish in ${secondsAtMost} s and ${memoryMiB} MiB`,
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function checkModels() {
  for (const model of full ? [...models, ...fullModels] : models) {
    if (only && !model.name.includes(only)) continue
    const { states, error } = verify(model)
    report(`model, ${model.name}`, error, `${states} states`)
  }
  for (const mutant of mutants) {
    if (only && !mutant.name.includes(only)) continue
    const { states, error } = verify(mutant, mutant.name)
    const caught = mutant.fails.some((property) => error?.includes(property))
    report(
      `mutant ${mutant.name}`,
      !caught && `expected ${mutant.fails.join(' or ')}, got ${error ?? 'no error'}`,
      `${states} states, ${error}`,
    )
  }
}

checkNames()
if (spawnSync('spin', ['-V']).error === undefined) checkModels()
else if (process.env.CI === 'true') report('spin', 'is not installed (apt-get install spin)')
else console.log('skipped: spin is not installed (apt-get install spin)')
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed > 0 ? 1 : 0
