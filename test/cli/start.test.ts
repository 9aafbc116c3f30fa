import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { bin } from './run.js'

const root = dirname(dirname(dirname(dirname(bin))))
const copies: string[] = []
afterAll(() => {
  for (const copy of copies) rmSync(copy, { recursive: true })
})

/** The package without its addon. */
function withoutAddon(): string {
  const copy = mkdtempSync(join(tmpdir(), 'cancelpoint-start-'))
  copies.push(copy)
  for (const part of ['dist', 'package.json']) cpSync(join(root, part), join(copy, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return join(copy, 'dist/src/cli/main.js')
}

const ways: [string, string][] = [
  ['--no-addons', `exec "${process.execPath}" --no-addons "${bin}"`],
  ['a missing addon', `exec "${process.execPath}" "${withoutAddon()}"`],
]
const run = (way: string, args: string) =>
  spawnSync('bash', ['-c', `${way} ${args}`], { encoding: 'utf8', timeout: 5_000 })

const commands = ['check 127.0.0.1:1', 'check --json 127.0.0.1:1', 'lab --targets 1', 'bench --quick']

describe('with too few descriptors', () => {
  /** How many Node itself takes differs by version. Below the last that suffices it cannot start, and that is not ours to tell. */
  const limits = [24, 23, 22, 21, 20, 19, 18]

  it.each(commands)('%s says why in a sentence, and exits with 2', { timeout: 60_000 }, (args) => {
    for (const limit of limits) {
      const ended = run(`ulimit -n ${limit}; exec "${process.execPath}" "${bin}"`, args)
      const works = ended.signal !== null || ended.status === 0 || ended.status === 1
      if (works && !/^cancelpoint/m.test(ended.stderr)) continue
      if (ended.status === 2) expect(ended.stderr).toMatch(/^cancelpoint( bench)?: [^\n]+\n$/)
      return
    }
  })
})

describe.each(ways)('with %s', (_, way) => {
  it.each(commands)('%s says why in a sentence, and exits with 2', (args) => {
    const { status, stdout, stderr } = run(way, args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toMatch(/^cancelpoint( bench)?: [^\n]+\n$/)
  })
})

describe.each(ways)('with %s', (_, way) => {
  it.each(['--version', '--help', 'check --help', 'lab --help', 'bench --help', 'errno', 'errno ECONNREFUSED'])(
    '%s works',
    (args) => {
      expect(run(way, args)).toMatchObject({ status: 0, stderr: '' })
    },
  )
})

describe('cancelpoint bench', () => {
  it('says so where --out is a file', () => {
    const { status, stderr } = spawnSync(process.execPath, [bin, 'bench', '--quick', '--out', bin], {
      encoding: 'utf8',
    })
    expect(status).toBe(2)
    expect(stderr).toMatch(/^cancelpoint bench: [^\n]*file already exists[^\n]*\n$/)
  })
})

it.each(['check 127.0.0.1:1', 'wait 127.0.0.1:1 --timeout 50ms'])('%s begins with 48 descriptors', (args) => {
  const command = `ulimit -n 48 && exec "$0" "${bin}" ${args}`
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command, process.execPath], { encoding: 'utf8' })
  expect(stdout + stderr).not.toContain('EMFILE')
  expect(status).toBe(1)
})
