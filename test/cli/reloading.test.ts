/** Inputs that are read again: what is done with a new list, an old one and a bad one, and who may ask for it. */
import { mkdirSync, readFileSync, rmSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { reloading } from '#internal/cli/watch/reloading'
import { runFixture } from '../support/child.js'
import { fast, soon, useStage } from './reloading-stage.js'

const stage = useStage()

describe('nothing is done', () => {
  it('for an unchanged list, however its file was written', async () => {
    await stage().begin().ready
    stage().put('a:1\n')
    await stage().settled()
    stage().replaceBy('a:1\n\n')
    await stage().settled()
    expect(stage().reads).toBeGreaterThan(1)
    expect(stage().applied).toEqual([])
    expect(stage().said).toEqual([])
  })

  it('for other files of the folder: they are not even read', async () => {
    // Until the file's own change is no news any more.
    await wait(100)
    await stage().begin().ready
    await stage().settled()
    const count = stage().reads
    for (let each = 0; each < 20; each += 1) stage().put('x', join(stage().folder, `other-${each}`))
    await stage().settled()
    expect(stage().reads).toBe(count)
  })

  it('after its end', async () => {
    const controller = new AbortController()
    const { signal } = controller
    const reloader = stage().begin([stage().file], { signal })
    await reloader.ready
    controller.abort()
    stage().put('b:1\n')
    await stage().settled()
    await reloader.reload()
    await stage().begin([stage().file], { signal }).ready
    expect(stage().applied).toEqual([])
  })
})

describe('a bad reload keeps the old list, and says why:', () => {
  it('a bad line, with stage().file, line and column; and then it is good again', async () => {
    await stage().begin().ready
    stage().put('a:1\nb:1 bad\nvery bad\n')
    await expect.poll(() => stage().said, soon).toHaveLength(3)
    expect(stage().said).toEqual([
      `${stage().file}:2:5: expected no bad word`,
      `${stage().file}:3:6: expected no bad word`,
      'the list was not read again: the old one stays. Correct that, and it is read by itself',
    ])
    await stage().settled()
    expect(stage().said).toHaveLength(3)
    stage().put('a:1\n')
    await expect.poll(() => stage().said.at(-1), soon).toBe('the list was read again and has not changed: 1 target')
    expect(stage().applied).toEqual([])
    stage().put('b:1\n')
    await expect.poll(() => stage().last, soon).toEqual(['b:1'])
  })

  it('very many bad lines, of which some are told', async () => {
    await stage().begin().ready
    stage().put('bad\n'.repeat(1_000))
    await expect.poll(() => stage().said, soon).toHaveLength(12)
    expect(stage().said[10]).toBe('and 990 more problems')
  })

  it('a file that is gone, and comes back', async () => {
    await stage().begin().ready
    unlinkSync(stage().file)
    await expect.poll(() => stage().said, soon).toHaveLength(2)
    expect(stage().said[0]).toMatch(/ENOENT: .*targets/)
    rmSync(stage().folder, { recursive: true })
    await stage().settled()
    expect(stage().applied).toEqual([])
    mkdirSync(stage().folder)
    stage().put('back:1\n')
    await expect.poll(() => stage().last, soon).toEqual(['back:1'])
  })

  it('an empty one', async () => {
    await stage().begin().ready
    stage().put('')
    await expect.poll(() => stage().said[0], soon).toBe('there is no target in the input')
    expect(stage().applied).toEqual([])
  })

  it('one that the watch does not take', async () => {
    const apply = () => {
      throw new TypeError('targets[0] is no target')
    }
    await stage().begin([stage().file], { apply }).ready
    stage().put('b:1\n')
    await expect.poll(() => stage().said[0], soon).toBe('targets[0] is no target')
    expect(stage().said[1]).toContain('the old one stays')
  })
})

it('entries are compared by all that is in them', async () => {
  let entries: object[] = [{ target: 'a:1', steps: [{ expect: /x/ }] }]
  const taken: unknown[] = []
  const options = {
    files: [stage().file],
    say() {},
    apply: (list: readonly object[]) => taken.push(list),
    limits: fast,
  }
  const other = reloading<object>({ ...options, read: async () => ({ entries }), current: structuredClone(entries) })
  await other.ready
  expect(taken).toHaveLength(0)
  for (const [steps, count] of [
    [[{ expect: /y/ }], 1],
    [[{ expect: /y/ }], 1],
    [[{ expect: /y/i }], 2],
    [[{ send: new Uint8Array([1]) }], 3],
    [[{ send: new Uint8Array([2]) }], 4],
  ] as [object[], number][]) {
    entries = [{ target: 'a:1', steps }]
    await other.reload()
    expect(taken).toHaveLength(count)
  }
  await other[Symbol.asyncDispose]()
})

it('SIGHUP stage().reads all again, and ends nothing', async () => {
  const { code, stdout, stderr } = await runFixture('../../cli/hang-up', stage().file)
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(stdout.trim().split('\n')).toEqual([
    'said the list was read again and has not changed: 1 target',
    'applied hang-up:1',
    'said the list was read again: 1 target',
    'interrupted false',
  ])
  expect(readFileSync(stage().file, 'utf8')).toBe('hang-up:1\n')
})
