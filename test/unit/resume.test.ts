import { appendFileSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CheckResult } from 'cancelpoint'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { PlannedTarget } from '#internal/check/planned-target'
import { type Journal, openJournal } from '#internal/cli/resume/journal'
import { readJournal } from '#internal/cli/resume/read'
import { isTorn, journalLine, recordOf } from '#internal/cli/resume/record'
import { Tally } from '#internal/core/tally'
import { readTarget } from '#internal/core/target'
import { keyOf } from '#internal/core/target-key'

const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-resume-'))
afterAll(() => rmSync(directory, { recursive: true }))
let files = 0
const newFile = (text?: string | Buffer): string => {
  files += 1
  const path = join(directory, `journal-${files}.jsonl`)
  if (text !== undefined) writeFileSync(path, text)
  return path
}

const resultOf = (target: string, more: Partial<CheckResult> = {}): CheckResult => ({
  target,
  status: 'up',
  attempts: 1,
  startedAt: 1_700_000_000_000,
  connectMs: 1.5,
  ...more,
})
const lineOf = (target: string, more: Partial<CheckResult> = {}) => journalLine(resultOf(target, more), false)
const { signal } = new AbortController()

async function open(path: string, allAddresses = false) {
  const earlier: CheckResult[] = []
  const notes: string[] = []
  const options = { allAddresses, signal, note: (text: string) => notes.push(text) }
  const journal = await openJournal(path, { ...options, earlier: (result) => earlier.push(result) })
  return { journal, earlier, notes }
}

/** What the journal keeps is closed again. */
async function opened<T>(
  path: string,
  use: (journal: Journal, earlier: CheckResult[], notes: string[]) => T,
): Promise<T> {
  const { journal, earlier, notes } = await open(path)
  try {
    return use(journal, earlier, notes)
  } finally {
    journal.close(true)
  }
}

describe('Tally', () => {
  it('counts as a Map does', () => {
    const text = fc.oneof(fc.constantFrom('a:1', 'b:1', '10.0.0.1:80'), fc.string({ maxLength: 3 }))
    fc.assert(
      fc.property(fc.integer(), fc.array(fc.tuple(fc.boolean(), text), { maxLength: 200 }), (secret, steps) => {
        const tally = new Tally(secret)
        const counts = new Map<string, number>()
        for (const [adds, key] of steps) {
          const count = counts.get(key) ?? 0
          if (adds) tally.add(key)
          else expect(tally.take(key)).toBe(count > 0)
          counts.set(key, adds ? count + 1 : Math.max(0, count - 1))
        }
        expect(tally.left).toBe([...counts.values()].reduce((sum, count) => sum + count, 0))
      }),
    )
  })

  it('takes no two of very many for one', () => {
    const tally = new Tally(7)
    const name = (n: number) => `127.${n >> 16}.${(n >> 8) & 255}.${n & 255}:80`
    for (let n = 0; n < 300_000; n += 1) tally.add(name(n))
    for (let n = 300_000; n < 600_000; n += 1) expect(tally.take(name(n))).toBe(false)
    for (let n = 0; n < 300_000; n += 1) if (!tally.take(name(n))) throw new Error(name(n))
    expect(tally.left).toBe(0)
  })
})

describe('the lines', () => {
  it('read back as what was written, and every part of one is known to be torn', () => {
    const text = fc.string({ unit: 'binary', maxLength: 20 })
    fc.assert(
      fc.property(text, fc.dictionary(text, text, { maxKeys: 3 }), fc.boolean(), (target, labels, more) => {
        const result = resultOf(target, { labels: { ...labels } })
        const line = journalLine(result, more)
        expect(recordOf(line)).toEqual(JSON.parse(JSON.stringify({ ...result, ...(more && { more }) })))
        expect(line.indexOf('\n')).toBe(line.length - 1)
        for (let end = 0; end < line.length - 1; end += 1) {
          expect(isTorn(line.slice(0, end))).toBe(true)
          expect(recordOf(line.slice(0, end))).toBeUndefined()
        }
      }),
    )
  })

  it.each([
    '{}',
    '[]',
    'null',
    '1',
    '{"target":"a"}',
    'a:1',
    '',
    '{"target":"a","status":"good","attempts":1,"startedAt":1}',
  ])('%s is no result', (line) => expect(recordOf(line)).toBeUndefined())

  it('know a target by its text and its labels, in whatever order', () => {
    expect(keyOf('a:1', { x: '1', y: '2' })).toBe(keyOf('a:1', { y: '2', x: '1' }))
    const labels: (Record<string, string> | undefined)[] = [
      undefined,
      { x: '1' },
      { x: '2' },
      { x: '1', y: '2' },
      { 'x":"1': '' },
    ]
    const keys = labels.map((each) => keyOf('a:1', each))
    expect(new Set(keys).size).toBe(keys.length)
    // No labels are none, however they are written.
    expect(keyOf('a:1', {})).toBe('a:1')
  })
})

describe('readJournal', () => {
  async function read(text: string | Buffer) {
    const path = newFile(text)
    const fd = openSync(path, 'r')
    const targets: string[][] = []
    const contents = await readJournal(fd, signal, (records) => targets.push(records.map(({ target }) => target)))
    closeSync(fd)
    return { ...contents, targets }
  }

  it('finds at every length which results are whole, and how much is torn', async () => {
    const lines = [lineOf('a:1'), lineOf('é:2'), lineOf('c:3', { labels: { x: 'y' } })]
    const bytes = Buffer.from(lines.join(''))
    const ends = lines.map((_, index) => Buffer.byteLength(lines.slice(0, index + 1).join('')))
    for (let length = 0; length <= bytes.length; length += 1) {
      const { targets, damaged, end, torn, unended } = await read(bytes.subarray(0, length))
      const complete = ends.filter((each) => each - 1 <= length).length
      expect({ damaged, targets: targets.length }).toEqual({ damaged: [], targets: complete })
      expect(unended).toBe(ends.some((each) => each - 1 === length))
      expect(end + torn).toBe(length)
    }
  })

  it('finds damaged lines, and what is no journal', async () => {
    const damaged = async (text: string) => (await read(text)).damaged
    expect(await damaged(`${lineOf('a:1')}x\n${lineOf('b:1')}\n${lineOf('c:1')}`)).toEqual([2, 4])
    expect(await damaged('127.0.0.1:80\n127.0.0.2:80')).toEqual([1, 2])
    expect(await damaged('127.0.0.1:80')).toEqual([1])
    expect(await damaged(`${lineOf('a:1')}{"target":"b`)).toEqual([])
    expect(await damaged(`${lineOf('a:1')}{"target":"b\n${lineOf('c:1')}`)).toEqual([2])
    expect(await damaged('x'.repeat(3_000_000))).toEqual([1])
    expect(await damaged(`${lineOf('a:1')}\0\0\0`)).toEqual([])
    expect(await damaged(`${lineOf('a:1')}\0\0\0\n`)).toEqual([2])
  })

  it('takes the results of all addresses of a target together, or none of them', async () => {
    const of = (target: string, address: string, more: boolean) =>
      journalLine(resultOf(target, { address, port: 1 }), more)
    const whole = of('a:1', '10.0.0.1', true) + of('a:1', '10.0.0.2', false) + of('b:1', '10.0.0.1', false)
    expect((await read(whole)).targets).toEqual([['a:1', 'a:1'], ['b:1']])
    const begun = of('c:1', '10.0.0.1', true) + of('c:1', '10.0.0.2', true)
    const torn = await read(whole + begun)
    expect(torn).toMatchObject({ damaged: [], end: whole.length, torn: begun.length })
    expect(torn.targets).toHaveLength(2)
    expect((await read(begun + whole)).damaged).toEqual([1])
  })
})

describe('Journal', () => {
  const of = (text: string, labels?: Record<string, string>) => new PlannedTarget(readTarget(text), undefined, labels)

  it('has what was added, each as often as it was', async () => {
    const path = newFile()
    await opened(path, (journal) => {
      for (const text of ['a:1', 'b:1', 'a:1']) journal.add(resultOf(text))
      journal.add(resultOf('a:1', { labels: { x: 'y' } }))
      journal.add(resultOf('nonsense', { code: 'ERR_INVALID_TARGET' }))
    })
    await opened(path, (journal, earlier) => {
      expect(earlier.map(({ target }) => target)).toEqual(['a:1', 'b:1', 'a:1', 'a:1'])
      const has = ['a:1', 'a:1', 'a:1', 'c:1'].map((text) => journal.has(readTarget(text)))
      expect(has).toEqual([true, true, false, false])
      expect(journal.has(of('a:1', { x: 'z' }))).toBe(false)
      expect(journal.has(of('a:1', { x: 'y' }))).toBe(true)
      expect(journal.left).toBe(1)
    })
  })

  it('cuts off what is torn, says so, and goes on there', async () => {
    const path = newFile(lineOf('a:1') + lineOf('b:1').slice(0, 20))
    await opened(path, (journal, _, notes) => {
      expect(notes).toEqual([expect.stringMatching(/ended in the middle of a result: 20 bytes were cut off/)])
      journal.add(resultOf('c:1'))
    })
    expect(readFileSync(path, 'utf8')).toBe(lineOf('a:1') + lineOf('c:1'))
  })

  it('ends a last line that is whole', async () => {
    const path = newFile(lineOf('a:1') + lineOf('b:1').trimEnd())
    await opened(path, (journal, earlier, notes) => {
      expect([earlier.length, notes.length]).toEqual([2, 0])
      journal.add(resultOf('c:1'))
    })
    expect(readFileSync(path, 'utf8')).toBe(lineOf('a:1') + lineOf('b:1') + lineOf('c:1'))
  })

  it.each([
    ['a list of targets', '127.0.0.1:80\n127.0.0.2:80\n', /lines 1, 2 are no results\. Nothing was checked or changed/],
    ['a list without an end', '127.0.0.1:80', /line 1 is no result\. .* remove it, or give another file/],
    ['damaged in the middle', `${lineOf('a:1')}x\n${lineOf('b:1').slice(0, 9)}`, /line 2 is no result/],
    ['damaged in many places', 'x\n'.repeat(30), /lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 20 more are/],
  ])('changes nothing of a file that is %s', async (_, text, message) => {
    const path = newFile(text)
    await expect(open(path)).rejects.toThrow(message)
    expect(readFileSync(path, 'utf8')).toBe(text)
    // Nobody has it.
    writeFileSync(path, '')
    await opened(path, () => {})
  })

  it('keeps the results of all addresses of a target together', async () => {
    const path = newFile()
    const { journal } = await open(path, true)
    const at = (target: string, address?: string) => resultOf(target, address ? { address, port: 1 } : {})
    for (const result of [
      at('a:1', '10.0.0.1'),
      at('a:1', '10.0.0.2'),
      at('a:1', '10.0.0.1'),
      at('a:1', '10.0.0.2'),
      at('b:1'),
      at('b:1'),
      at('b:1', '10.0.0.1'),
      at('c:1', '10.0.0.1'),
    ]) {
      journal.add(result)
    }
    // Interrupted: of the last one there may be more.
    journal.close(false)
    await opened(path, (again, earlier) => {
      expect(earlier).toHaveLength(7)
      const has = (text: string) => again.has(readTarget(text))
      expect(['a:1', 'a:1', 'a:1', 'b:1', 'b:1', 'b:1', 'b:1', 'c:1'].map(has)).toEqual([
        ...[true, true, false],
        ...[true, true, true, false],
        false,
      ])
    })
  })

  it('is in use by one process at a time', async () => {
    const path = newFile()
    const { journal } = await open(path)
    await expect(open(path)).rejects.toThrow(
      new RegExp(
        `is in use: process ${process.pid} writes its results there\\. Wait for it, or give another file; .* remove`,
      ),
    )
    journal.close(true)
    await opened(path, () => {})
  })

  const owner = () => JSON.parse(readFileSync(`${lockedFile}.lock`, 'utf8'))
  let lockedFile = ''

  it.each<[string, (owner: Record<string, unknown>) => string]>([
    ['empty', () => ''],
    ['half written', (owner) => JSON.stringify(owner).slice(0, 20)],
    ['of a process that ended', (owner) => JSON.stringify({ ...owner, pid: 2 ** 22 + 1 })],
    ['of an earlier process with the same number', (owner) => JSON.stringify({ ...owner, started: '1' })],
    ['of before the machine started', (owner) => JSON.stringify({ ...owner, boot: 'another' })],
  ])('takes over a lock that is %s', async (_, stale) => {
    lockedFile = newFile()
    const { journal } = await open(lockedFile)
    const text = stale(owner())
    journal.close(true)
    writeFileSync(`${lockedFile}.lock`, text)
    await opened(lockedFile, () => expect(owner().pid).toBe(process.pid))
    expect(() => owner()).toThrow(/ENOENT/)
  })

  it.each<[string, object]>([
    ['of another machine', { host: 'elsewhere', boot: 'another' }],
    ['of another namespace', { namespace: 'pid:[1]' }],
  ])('leaves a lock alone that is %s, for nobody here can know', async (_, other) => {
    lockedFile = newFile()
    const { journal } = await open(lockedFile)
    const text = JSON.stringify({ ...owner(), ...other })
    journal.close(true)
    writeFileSync(`${lockedFile}.lock`, text)
    await expect(open(lockedFile)).rejects.toThrow(/is in use/)
  })

  it('refuses what is no regular file, and says why it cannot be opened', async () => {
    await expect(open('/dev/full')).rejects.toThrow(/\/dev\/full is no regular file/)
    await expect(open(directory)).rejects.toThrow(/cannot be opened: illegal operation on a directory/)
    await expect(open(join(directory, 'missing', 'x'))).rejects.toThrow(/cannot be opened: no such file or directory/)
  })

  it('appends, whatever else is there', async () => {
    const path = newFile(lineOf('a:1'))
    await opened(path, (journal) => {
      appendFileSync(path, lineOf('b:1'))
      journal.add(resultOf('c:1'))
    })
    expect(readFileSync(path, 'utf8')).toBe(lineOf('a:1') + lineOf('b:1') + lineOf('c:1'))
  })
})
