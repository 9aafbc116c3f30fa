#!/usr/bin/env node
/**
 * npm run test:native [-- --full] [-- --seed N]
 *
 * Builds native/ without addon.cc and with the program in this directory, runs it under each tool, then shows by seeded
 * bugs (mutants.mjs) that each tool would notice.
 */
import { appendFile, cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { finish, report, run, runJobs, skip } from '../support/proofs.mjs'
import { mutants } from './mutants.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const native = fileURLToPath(new URL('../../native/', import.meta.url))
const { values: options } = parseArgs({ options: { full: { type: 'boolean' }, seed: { type: 'string' } } })
const seed = options.seed ?? String(Date.now() % 2 ** 31)
const compiler = process.env.CC ?? 'gcc'

/** As binding.gyp builds the addon. */
const flags = ['-std=gnu11', '-fexceptions', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-g', '-O1']
const linked = [
  '-pthread',
  '-shared-libgcc',
  '-Wl,--wrap=connect,--wrap=poll,--wrap=close,--wrap=fcntl,--wrap=nanosleep,--wrap=pthread_setspecific',
]

const memcheck = ['valgrind', '--error-exitcode=99', '--leak-check=full', '--track-fds=yes', '--fair-sched=try']

/** `commands`: what to run a program under; the first that works here is taken. */
const flavours = {
  plain: { flags: [], commands: [[]], rounds: 50 },
  // Older ThreadSanitizers do not know the memory maps of kernels that randomise addresses more.
  tsan: { flags: ['-fsanitize=thread'], commands: [[], ['setarch', '--addr-no-randomize']], rounds: 50 },
  asan: { flags: ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'], commands: [[]], rounds: 50 },
  valgrind: { flags: [], commands: [memcheck], rounds: 10 },
  // The second implementation of poller.h, under the tool that says most. The other scenarios count calls of epoll's.
  poll: {
    poller: 'poller_poll.c',
    flags: ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'],
    commands: [[]],
    rounds: 50,
    only: 'storm of cancels in the reactor',
  },
}

/** Tries a flavour on a program that does nothing. Undefined, or why it cannot be used here. */
async function missing(flavour) {
  const program = join(build, `try-${flavour}`)
  await writeFile(`${program}.c`, 'int main(void) { return 0; }\n')
  const compiled = await run(compiler, [...flavours[flavour].flags, `${program}.c`, '-o', program])
  if (compiled.code !== 0) return `${compiler} ${flavours[flavour].flags.join(' ')} does not work (${compiled.code})`
  for (const command of flavours[flavour].commands) {
    const [first, ...rest] = [...command, program]
    flavours[flavour].command = command
    if ((await run(first, rest)).code === 0) return undefined
  }
  return `a program that does nothing fails under ${flavours[flavour].command[0] ?? flavour}: not installed, or not allowed`
}

/** Compiles the core in `sources` and this directory's program. Resolves to the program, or throws the compiler's words. */
async function compile(name, sources, flavour, unwinder = '-shared-libgcc') {
  const { poller = 'poller_epoll.c' } = flavours[flavour]
  const isPart = (file) => file.endsWith('.c') && (!file.startsWith('poller_') || file === poller)
  const files = [sources, here].map(async (directory) =>
    (await readdir(directory)).filter(isPart).map((file) => join(directory, file)),
  )
  const program = join(build, name)
  const parts = [
    ...flags,
    ...flavours[flavour].flags,
    `-I${sources}`,
    `-I${here}`,
    ...(await Promise.all(files)).flat(),
  ]
  const { code, output } = await run(compiler, [...parts, ...linked, unwinder, '-o', program])
  if (code !== 0) throw new Error(`${compiler} says:\n${output}`)
  return program
}

function runCore(program, flavour, args) {
  const [command, ...before] = [...flavours[flavour].command, program]
  return run(command, [...before, '--seed', seed, ...args])
}

/** Valgrind 3.19 lists descriptors that were left open, and does not count them as errors. */
function leftOpen(output) {
  const open = output.match(/^==\d+== Open .*$/gm)?.length ?? 0
  const inherited = output.match(/<inherited from parent>/g)?.length ?? 0
  return open - inherited
}

async function checkCore(flavour) {
  const rounds = flavours[flavour].rounds * (options.full ? 10 : 1)
  const { only } = flavours[flavour]
  const name = `${flavour}: ${only ? 'the reactor' : 'every scenario'}, storm of ${rounds * 200} attempts, seed ${seed}`
  try {
    const program = await compile(flavour, native, flavour)
    const { code, output } = await runCore(program, flavour, [
      '--rounds',
      String(rounds),
      ...(only ? ['--only', only] : []),
    ])
    if (code !== 0) report(name, `ended with ${code}\n${output}`)
    else if (leftOpen(output) > 0) report(name, `descriptors left open\n${output}`)
    else report(name)
  } catch (error) {
    report(name, error.message)
  }
}

async function checkMutant({ name, flavour, link, file, find, replace, also = [], scenario, noticed }, index) {
  const title = `${flavour} notices: ${name}`
  try {
    const sources = join(build, `mutant-${index}-sources`)
    await cp(native, sources, {
      recursive: true,
      filter: (path) => !/\/(build|prebuilds)\/?/.test(path.slice(native.length - 1)),
    })
    let source = await readFile(join(sources, file), 'utf8')
    for (const change of [{ find, replace }, ...also]) {
      if (source.split(change.find).length !== 2)
        throw new Error(`no longer fits ${file}: what it changes must be there exactly once`)
      source = source.replace(change.find, () => change.replace)
    }
    await writeFile(join(sources, file), source)
    const program = await compile(`mutant-${index}`, sources, flavour, link)
    const { output } = await runCore(program, flavour, ['--rounds', '20', '--only', scenario])
    report(title, noticed.test(output) ? undefined : `not noticed in "${scenario}"\n${output}`)
  } catch (error) {
    report(title, error.message)
  }
}

/** lane.c refuses to be built in a way in which a cancelled thread's cleanup handler might not run. */
async function checkRefused(name, args) {
  const { code, output } = await run(compiler, ['-fsyntax-only', '-D_GNU_SOURCE', ...args, join(native, 'lane.c')])
  const refused = code !== 0 && output.includes('lane.c is C built with -fexceptions')
  report(`lane.c is refused ${name}`, refused ? undefined : `the compiler ended with ${code}\n${output}`)
}

/** Of the very script that builds the addon: Node's common.gypi takes -Werror out of a target's flags. */
async function checkWarning() {
  const name = 'a warning fails npm run build:native'
  const copy = join(build, 'warning')
  const root = join(native, '..')
  await cp(native, join(copy, 'native'), { recursive: true, filter: (path) => !/\/(build|prebuilds)$/.test(path) })
  await cp(join(root, 'package.json'), join(copy, 'package.json'))
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  await appendFile(join(copy, 'native/ledger.c'), 'static int unused(void) { return 1; }\n')
  const { code, output } = await run('npm', ['run', '--prefix', copy, 'build:native'])
  report(
    name,
    code !== 0 && output.includes('[-Werror=unused-function]') ? undefined : `it ended with ${code}\n${output}`,
  )
}

async function checkAddon() {
  const addon = join(native, 'build/Release/cancelpoint.node')
  const { code, output } = await run('readelf', ['--dynamic', '--wide', addon])
  if (code !== 0) return skip('the addon as linked', `readelf cannot read ${addon}: npm run build:native`)
  report('the addon stays mapped: NODELETE', /FLAGS_1.*NODELETE/.test(output) ? undefined : output)
  report(
    'the addon shares the unwinder: libgcc_s.so.1',
    /NEEDED.*\[libgcc_s\.so\.1\]/.test(output) ? undefined : output,
  )
}

const build = await mkdtemp(join(tmpdir(), 'cancelpoint-native-'))
try {
  await checkRefused('without -fexceptions', ['-std=gnu11', '-fno-exceptions'])
  await checkRefused('as C++', ['-x', 'c++', '-fexceptions'])
  await checkAddon()
  await checkWarning()
  const jobs = []
  for (const flavour of Object.keys(flavours)) {
    const reason = await missing(flavour)
    if (reason !== undefined) skip(`${flavour}, and that it would notice`, reason)
    else jobs.push(() => checkCore(flavour))
    if (reason === undefined)
      for (const [index, mutant] of mutants.entries())
        if (mutant.flavour === flavour) jobs.push(() => checkMutant(mutant, index))
  }
  await runJobs(jobs, availableParallelism())
} finally {
  await rm(build, { recursive: true, force: true })
}
finish()
