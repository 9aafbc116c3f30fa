/** Each way in which a file comes to be another one is noticed, and the inputs are read again. */
import { appendFileSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { foldersOf } from '#internal/cli/watch/file-watch'
import { soon, useStage } from './reloading-stage.js'

const stage = useStage()

describe('a file that comes to be another', () => {
  it.each<[string, (text: string) => void]>([
    ['written in place', (text) => stage().put(text)],
    [
      'truncated and written',
      (text) => {
        truncateSync(stage().file)
        appendFileSync(stage().file, text)
      },
    ],
    ['replaced, as editors do', (text) => stage().replaceBy(text)],
    [
      'moved away and written anew, as other editors do',
      (text) => {
        renameSync(stage().file, `${stage().file}~`)
        stage().put(text)
      },
    ],
    [
      'deleted and made again',
      (text) => {
        unlinkSync(stage().file)
        stage().put(text)
      },
    ],
    [
      'in a folder that is deleted and made again',
      (text) => {
        rmSync(stage().folder, { recursive: true })
        mkdirSync(stage().folder)
        stage().put(text)
      },
    ],
    [
      'in a folder that another takes the place of',
      (text) => {
        renameSync(stage().folder, `${stage().folder}-old`)
        mkdirSync(stage().folder)
        stage().put(text)
        rmSync(`${stage().folder}-old`, { recursive: true })
      },
    ],
  ])('%s: each time', async (_, write) => {
    await stage().begin().ready
    for (const text of ['b:1\nc:1\n', 'd:1\n', 'b:1\nc:1\n']) {
      const count = stage().applied.length
      write(text)
      await expect.poll(() => stage().applied.length, soon).toBe(count + 1)
      expect(stage().last).toEqual(text.trim().split('\n'))
    }
    expect(stage().said.at(-1)).toBe('the list was read again: 2 targets')
  })

  it('of Kubernetes: a link of a link of a folder is swapped', async () => {
    const mount = join(stage().folder, 'mount')
    mkdirSync(join(mount, '..2026_1'), { recursive: true })
    stage().put('a:1\n', join(mount, '..2026_1', 'targets'))
    symlinkSync('..2026_1', join(mount, '..data'))
    symlinkSync('..data/targets', join(mount, 'targets'))
    await stage().begin([join(mount, 'targets')]).ready
    for (const version of ['2026_2', '2026_3']) {
      mkdirSync(join(mount, `..${version}`))
      stage().put(`${version}:1\n`, join(mount, `..${version}`, 'targets'))
      symlinkSync(`..${version}`, join(mount, '..data_tmp'))
      renameSync(join(mount, '..data_tmp'), join(mount, '..data'))
      await expect.poll(() => stage().last, soon).toEqual([`${version}:1`])
    }
    expect(stage().applied).toHaveLength(2)
  })

  it('behind links to elsewhere, of the file and of its folder', async () => {
    for (const name of ['one', 'two', 'links']) mkdirSync(join(stage().folder, name))
    stage().put('a:1\n', join(stage().folder, 'one', 'targets'))
    stage().put('two:1\n', join(stage().folder, 'two', 'targets'))
    symlinkSync(join(stage().folder, 'one'), join(stage().folder, 'links', 'current'))
    symlinkSync('../links/current/targets', join(stage().folder, 'two', 'link'))
    await stage().begin([join(stage().folder, 'two', 'link')]).ready
    stage().put('b:1\n', join(stage().folder, 'one', 'targets'))
    await expect.poll(() => stage().last, soon).toEqual(['b:1'])
    symlinkSync(join(stage().folder, 'two'), join(stage().folder, 'links', 'next'))
    renameSync(join(stage().folder, 'links', 'next'), join(stage().folder, 'links', 'current'))
    await expect.poll(() => stage().last, soon).toEqual(['two:1'])
    stage().put('c:1\n', join(stage().folder, 'two', 'targets'))
    await expect.poll(() => stage().last, soon).toEqual(['c:1'])
  })

  it('one of several: all are read', async () => {
    const other = join(stage().folder, 'other')
    stage().put('x:1\n', other)
    await stage().begin([stage().file, other], { current: ['a:1', 'x:1'] }).ready
    stage().put('y:1\n', other)
    await expect.poll(() => stage().last, soon).toEqual(['a:1', 'y:1'])
    stage().put('b:1\n')
    await expect.poll(() => stage().last, soon).toEqual(['b:1', 'y:1'])
  })

  it('where the kernel has no watch to give, by looking', async () => {
    const watchFolder = () => {
      throw Object.assign(new Error('no more watches'), { code: 'ENOSPC' })
    }
    await stage().begin([stage().file], { watchFolder }).ready
    stage().put('b:1\n')
    await expect.poll(() => stage().last, soon).toEqual(['b:1'])
    stage().replaceBy('c:1\n')
    await expect.poll(() => stage().last, soon).toEqual(['c:1'])
    unlinkSync(stage().file)
    await expect.poll(() => stage().said.at(-1), soon).toContain('the old one stays')
    stage().put('d:1\n')
    await expect.poll(() => stage().last, soon).toEqual(['d:1'])
  })

  it('before anybody watched it', async () => {
    stage().put('b:1\n')
    await stage().begin().ready
    expect(stage().applied).toEqual([['b:1']])
  })

  it('while it is read: it is read again', async () => {
    let isFirst = true
    stage().begin([stage().file], {
      read: async () => {
        const inputs = await stage().read([stage().file])
        if (isFirst) stage().put('late:1\n')
        isFirst = false
        return inputs
      },
      current: ['x:1'],
    })
    await expect.poll(() => stage().last, soon).toEqual(['late:1'])
    expect(stage().applied).toHaveLength(1)
  })

  it('a thousand times in a storm: the last one counts, and few are read', async () => {
    await stage().begin().ready
    for (let each = 1; each <= 1_000; each += 1) {
      if (each % 3) stage().put(`t${each}:1\n`)
      else stage().replaceBy(`t${each}:1\n`)
      if (each % 20 === 0) await wait(2)
    }
    await expect.poll(() => stage().last, soon).toEqual(['t1000:1'])
    await stage().settled()
    expect(stage().last).toEqual(['t1000:1'])
    expect(stage().reads).toBeLessThan(100)
  })

  it('again and again without an end: it is taken as it is', async () => {
    await stage().begin().ready
    let count = 0
    const writing = setInterval(() => {
      count += 1
      stage().put(`t${count}:1\n`)
    }, 5)
    await expect.poll(() => stage().applied.length, soon).toBeGreaterThan(1)
    clearInterval(writing)
    await expect.poll(() => stage().last, soon).toEqual([`t${count}:1`])
  })
})

it('the folders of a path are those in which it can change', async () => {
  const real = join(stage().folder, 'real')
  mkdirSync(real)
  stage().put('', join(real, 'file'))
  symlinkSync('real', join(stage().folder, 'link'))
  symlinkSync(`${stage().folder}/link/../link/file`, join(real, 'loop'))
  symlinkSync('endless', join(stage().folder, 'endless'))
  const of = async (path: string) => [...(await foldersOf(join(stage().folder, path)))].sort()
  expect(await of('real/file')).toEqual([real])
  expect(await of('link/file')).toEqual([stage().folder, real])
  expect(await of('real/loop')).toEqual([stage().folder, real])
  expect(await of('no/such/file')).toEqual([stage().folder])
  expect(await of('endless')).toEqual([stage().folder])
})
