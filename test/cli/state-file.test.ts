/** Files of states: what is kept, whatever ends the process, and what becomes of files that are damaged, foreign or in use. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadStates, StateFile } from '#internal/cli/state/file'
import { lockAbstract, lockFile } from '#internal/cli/state/lock'
import { headerLine, stateLine } from '#internal/core/state-lines'
import { type Held, held } from '../support/counts.js'
import { refusalOfNamespace } from '../support/namespace.js'

/** Not a speed limit. */
const soon = { timeout: 10_000 }

const writer = fileURLToPath(new URL('state-writer.mjs', import.meta.url))

let folder: string
let path: string
let said: string[] = []
let before: Held
const say = (line: string) => void said.push(line)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cancelpoint-state-'))
  path = join(folder, 'states.jsonl')
  said = []
  before = held()
})
afterEach(async () => {
  await expect.poll(held, soon).toEqual(before)
  rmSync(folder, { recursive: true })
})

type Known = { target: string; labels?: Record<string, string>; state: 'up' | 'down'; since: number }
const up = (target: string, since = 1): Known => ({ target, state: 'up', since })
const down = (target: string, since = 1): Known => ({ target, state: 'down', since })
const textOf = (states: Known[]) => headerLine + states.map(stateLine).join('')
const aside = () => readdirSync(folder).filter((name) => name.includes('damaged'))

/** A file that follows these, as a watch would have them. */
async function opened(known = new Map<string, Known>(), limits: object = {}) {
  const file = await StateFile.open(path, { say, limits: { retryMs: 20, ...limits } })
  for (const each of file.states) known.set(each.target, each as Known)
  file.follow({ health: () => known.values() })
  return {
    file,
    change(state: Known) {
      known.set(state.target, state)
      file.note({ target: state.target, labels: state.labels, to: state.state, at: state.since })
    },
  }
}

describe('a file of states', () => {
  it('keeps each target’s last state, with its labels, and nothing beside it', async () => {
    const { file, change } = await opened()
    change(up('a:1'))
    change({ ...up('b:1'), labels: { job: 'x' } })
    change(down('a:1', 2))
    file.note({ target: 'c:1', to: 'unknown', at: 3 })
    await file.flushed()
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(5)
    expect(await loadStates(path)).toEqual([down('a:1', 2), { ...up('b:1'), labels: { job: 'x' } }])
    await Promise.all([file.close(), file.close()])
    expect(await loadStates(path)).toHaveLength(2)
    expect(readdirSync(folder)).toEqual(['states.jsonl'])
    expect(said).toEqual([])
  })

  it('that is not there or empty knows nothing', async () => {
    expect(await loadStates(path)).toEqual([])
    writeFileSync(path, '')
    expect(await loadStates(path)).toEqual([])
    const { file } = await opened()
    await file.close()
    expect(readFileSync(path, 'utf8')).toBe(headerLine)
  })

  it('is written anew as it outgrows itself, and then knows those that are still on the list', async () => {
    const known = new Map<string, Known>()
    const { file, change } = await opened(known, { growBytes: 2_000 })
    for (let at = 0; at < 2_000; at += 1) {
      change(at % 2 ? up(`t${at % 7}:1`, at) : down(`t${at % 7}:1`, at))
      if (at % 10 === 0) await file.flushed()
      expect(statSync(path).size).toBeLessThan(8_000)
    }
    known.delete('t0:1')
    await file.close()
    expect(await loadStates(path)).toEqual([...known.values()])
  })

  it('of 50,000 targets is written while others go on, and read again', async () => {
    const known = new Map(Array.from({ length: 50_000 }, (_, each) => [`10.0.0.1:${each}`, up(`10.0.0.1:${each}`)]))
    const { file, change } = await opened(known)
    const closed = file.close()
    change(down('late:1'))
    await closed
    expect(await loadStates(path)).toHaveLength(50_001)
    const again = await opened()
    await again.file.close()
    expect(await loadStates(path)).toHaveLength(50_001)
  })

  it('keeps its mode, and a link to it stays a link', async () => {
    writeFileSync(path, textOf([up('a:1')]))
    chmodSync(path, 0o600)
    const link = join(folder, 'link')
    symlinkSync(path, link)
    const file = await StateFile.open(link, { say })
    await file.close()
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(link, 'utf8')).toBe(textOf([up('a:1')]))
    expect(readdirSync(folder).sort()).toEqual(['link', 'states.jsonl'])
  })
})

describe('a damaged file', () => {
  it.each<[string, string | Buffer, Known[], string]>([
    ['torn at its end', textOf([up('a:1'), up('b:1')]).slice(0, -10), [up('a:1')], 'line 3 is damaged'],
    ['of zeros at its end', `${textOf([up('a:1')])}${'\0'.repeat(3_000)}`, [up('a:1')], 'line 3 is damaged'],
    ['of zeros', Buffer.alloc(200_000), [], 'line 1 is damaged'],
    ['of half a header', headerLine.slice(0, 9), [], 'line 1 is damaged'],
    ['damaged within', `${headerLine}x\n${stateLine(up('a:1'))}\n{}\n`, [up('a:1')], 'line 2 is damaged, and 2 more'],
    ['without its header', stateLine(up('a:1'))!, [up('a:1')], 'its first line is missing'],
    [
      'with bytes that are no text',
      Buffer.from(`${headerLine}{"target":"\xff:1","state":"up","since":1}\n`, 'latin1'),
      [],
      'line 2',
    ],
  ])('%s is set aside, and what can be read is used', async (_, bytes, states, words) => {
    writeFileSync(path, bytes)
    const file = await StateFile.open(path, { say })
    expect(file.states).toEqual(states)
    expect(aside()).toHaveLength(1)
    expect(readFileSync(join(folder, aside()[0]!))).toEqual(Buffer.from(bytes))
    expect(said).toHaveLength(1)
    expect(said[0]).toContain(`state file ${path}: ${words}`)
    expect(said[0]).toContain(join(folder, aside()[0]!))
    await file.close()
    expect(readFileSync(path, 'utf8')).toBe(textOf(states))
  })

  it('twice at the same time has two names', async () => {
    for (let each = 0; each < 3; each += 1) {
      writeFileSync(path, `${headerLine}x\n`)
      await (await StateFile.open(path, { say })).close()
    }
    expect(aside()).toHaveLength(3)
  })

  it('whose last line has no end is whole', async () => {
    writeFileSync(path, textOf([up('a:1')]).slice(0, -1))
    const file = await StateFile.open(path, { say })
    expect(file.states).toEqual([up('a:1')])
    await file.close()
    expect(said).toEqual([])
  })
})

describe('is refused, and stays as it is:', () => {
  it.each([
    ['another file', '127.0.0.1:80\n127.0.0.1:81\n', 'is not a file of states, and stays as it is'],
    ['a text in another encoding', '\ufeff\0\0', 'is not a file of states'],
    ['another program’s JSON', '{"a":1}\n', 'is not a file of states'],
    [
      'a later version',
      '{"cancelpoint":"states","version":2}\n{"new":true}\n',
      'of version 2, and this program knows version 1',
    ],
  ])('%s', async (_, text, words) => {
    writeFileSync(path, text)
    await expect(StateFile.open(path, { say })).rejects.toThrow(words)
    expect(readFileSync(path, 'utf8')).toBe(text)
    expect(readdirSync(folder)).toEqual(['states.jsonl'])
    expect(said).toEqual([])
  })

  it('a folder, a device, and a file in a folder that is not there', async () => {
    await expect(StateFile.open(folder)).rejects.toThrow('is no regular file')
    await expect(loadStates('/dev/null')).rejects.toThrow('is no regular file')
    await expect(StateFile.open(join(folder, 'no', 'file'))).rejects.toThrow('ENOENT')
  })
})

describe('a lock', () => {
  it('is one process’s, and free once it is closed', async () => {
    const file = await StateFile.open(path, { say })
    await expect(StateFile.open(path)).rejects.toThrow(`${path} is in use by another process`)
    symlinkSync(path, join(folder, 'link'))
    await expect(StateFile.open(join(folder, 'link'))).rejects.toThrow('is in use')
    await file.close()
    await (await StateFile.open(path)).close()
  })

  it('is taken by one of many that find it left behind', async () => {
    for (let round = 0; round < 20; round += 1) {
      const child = spawn(process.execPath, [writer, path, '5'], { stdio: ['ignore', 'pipe', 'ignore'] })
      if (round === 0) {
        await once(child.stdout, 'data')
        expect(existsSync(`${path}.lock`)).toBe(true)
      }
      child.kill('SIGKILL')
      await once(child, 'close')
      const locks = await Promise.all(Array.from({ length: 8 }, () => lockFile(path)))
      expect(locks.filter((lock) => lock !== undefined)).toHaveLength(1)
      if (round % 2) await Promise.all(locks.map((lock) => lock?.release()))
      else for (const lock of locks) await lock?.release()
    }
    expect(readdirSync(folder).filter((name) => name.includes('lock'))).toEqual([])
  })

  it('of a file with a long name, in a folder with a long path', async () => {
    const { mkdirSync } = await import('node:fs')
    const deep = join(folder, 'd'.repeat(200))
    mkdirSync(deep)
    const file = await StateFile.open(join(deep, 'f'.repeat(200)))
    await expect(StateFile.open(join(deep, 'f'.repeat(200)))).rejects.toThrow('is in use')
    await file.close()
    expect(readdirSync(deep)).toHaveLength(1)
  })

  it('without a file, where the folder takes none', async () => {
    const lock = await lockAbstract(path)
    expect(await lockAbstract(path)).toBeUndefined()
    await lock!.release()
    await (await lockAbstract(path))!.release()
  })
})

it('SIGKILL at any moment loses nothing that was written, and damages nothing', { timeout: 120_000 }, async () => {
  const rounds = process.env.CANCELPOINT_FULL ? 200 : 25
  for (let round = 0; round < rounds; round += 1) {
    const child = spawn(process.execPath, [writer, path, '200'], { stdio: ['ignore', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text
    })
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 80))
    child.kill('SIGKILL')
    await once(child, 'close')
    expect(stderr).toBe('')
    // The last line may be cut off.
    const last = stdout.split('\n').slice(0, -1).at(-1)!
    if (last.startsWith('begun')) continue
    const states = new Map((await loadStates(path)).map((each) => [each.target, each]))
    for (const [target, state, since] of JSON.parse(last)) {
      const found = states.get(target)
      expect(found, target).toBeDefined()
      expect(found!.since).toBeGreaterThanOrEqual(since)
      if (found!.since === since) expect(found!.state).toBe(state)
    }
    expect(aside()).toEqual([])
  }
  const file = await StateFile.open(path, { say })
  await file.close()
  expect(said).toEqual([])
  expect(readdirSync(folder)).toEqual(['states.jsonl'])
})

const refusal = refusalOfNamespace('-Urm')
it.skipIf(refusal !== '')(`a disk that is full is told once, and written to as it has room again ${refusal}`, () => {
  const fixture = fileURLToPath(new URL('full-disk.mjs', import.meta.url))
  const { stdout, stderr } = spawnSync('unshare', ['-Urm', process.execPath, fixture, folder], {
    encoding: 'utf8',
    timeout: 25_000,
  })
  expect(stderr).toBe('')
  const { told, left } = JSON.parse(stdout)
  const full = expect.stringMatching(
    /it cannot be written: no space left on device; the watch goes on, and it is tried again$/,
  )
  const again = expect.stringMatching(/: it is written again$/)
  expect(told).toEqual({
    little: [full, again],
    much: [full, again],
    closed: [full, expect.stringMatching(/: what changed last is not in it: no space left on device/)],
    opened: [full, again],
  })
  expect(left).toEqual(['states.jsonl'])
})
