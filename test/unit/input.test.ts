import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, describe, expect, it } from 'vitest'
import { countTargets, type Input, type Problem, targetsOf } from '#internal/cli/input'

const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-input-'))
afterAll(() => rmSync(directory, { recursive: true }))

function fileOf(name: string, text: string): Input & { kind: 'file' } {
  const path = join(directory, name)
  writeFileSync(path, text)
  return { kind: 'file', path }
}

async function readAll(inputs: Input[], signal?: AbortSignal): Promise<{ targets: string[]; problems: Problem[] }> {
  const targets: string[] = []
  const problems: Problem[] = []
  for await (const target of targetsOf(inputs, { signal, onProblem: (problem) => void problems.push(problem) })) {
    targets.push(target.text)
  }
  return { targets, problems }
}

describe('targetsOf', () => {
  it('reads arguments, files and streams in order, with ranges expanded', async () => {
    const { targets, problems } = await readAll([
      { kind: 'argument', text: '127.0.0.1:80-81' },
      fileOf('plain.txt', '\uFEFF# a comment\n\n127.0.0.2:80 # why\r\n127.0.0.3:80'),
      {
        kind: 'stream',
        name: 'standard input',
        stream: Readable.from([Buffer.from('127.0.0.4:8'), Buffer.from('0\n')]),
      },
      { kind: 'targets', targets: ['unix:@a'] },
    ])
    expect(problems).toEqual([])
    const ports = ['127.0.0.1:80', '127.0.0.1:81']
    expect(targets).toEqual([...ports, '127.0.0.2:80', '127.0.0.3:80', '127.0.0.4:80', 'unix:@a'])
  })

  it('tells file and line of what is no target, and goes on', async () => {
    const input = fileOf('bad.txt', '127.0.0.1:80\nno 127.0.0.3:80 port\n127.0.0.1:70000\n127.0.0.2:80\n')
    const { targets, problems } = await readAll([{ kind: 'argument', text: '127.0.0.1' }, input])
    expect(targets).toEqual(['127.0.0.1:80', '127.0.0.3:80', '127.0.0.2:80'])
    expect(problems.map(({ where }) => where)).toEqual([undefined, `${input.path}:2`, `${input.path}:3`])
    for (const { message } of problems) expect(message).toMatch(/expected/)
    expect(problems[1]!.message).toMatch(/^'no' is not a target: .*; nor is 1 more word of this line$/)
  })

  it('reports a file that cannot be read, and goes on', async () => {
    const { targets, problems } = await readAll([
      { kind: 'file', path: join(directory, 'missing.txt') },
      { kind: 'file', path: directory },
      { kind: 'argument', text: '127.0.0.1:80' },
    ])
    expect(targets).toEqual(['127.0.0.1:80'])
    expect(problems.map(({ message }) => message)).toEqual([
      'cannot be read: no such file or directory',
      'cannot be read: illegal operation on a directory',
    ])
  })

  it('skips a line too long to hold, in whatever chunks it comes', async () => {
    const long = 'x'.repeat(200_000)
    const { targets, problems } = await readAll([fileOf('long.txt', `127.0.0.1:80\n${long}\n127.0.0.2:80\n${long}`)])
    expect(targets).toEqual(['127.0.0.1:80', '127.0.0.2:80'])
    expect(problems.map(({ where }) => where?.replace(/.*:/, ''))).toEqual(['2', '4'])
  })

  const text = '127.0.0.1:80\r127.0.0.2:80\r\n\r\n# é\n127.0.0.3:80\r\r127.0.0.4:80 bad\n\r127.0.0.5:80'
  const swapped = (bytes: Buffer) => Buffer.from(bytes).swap16()
  const utf16 = Buffer.from(`\ufeff${text}`, 'utf16le')
  const encoded: [string, Buffer][] = [
    ['UTF-8', Buffer.from(text)],
    ['UTF-8 with a mark', Buffer.from(`\ufeff${text}`)],
    ['UTF-16LE with a mark', utf16],
    ['UTF-16BE with a mark', swapped(utf16)],
  ]

  it.each(encoded)(
    'reads lines that end in LF, CRLF, CR or not at all, in %s and in whatever chunks',
    async (_, bytes) => {
      for (const size of [1, 2, 3, 5, bytes.length]) {
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        )
        const stream = Readable.from(chunks)
        const { targets, problems } = await readAll([{ kind: 'stream', name: 'in', stream }])
        expect(targets).toEqual([1, 2, 3, 4, 5].map((n) => `127.0.0.${n}:80`))
        expect(problems.map(({ where }) => where)).toEqual(['in:7'])
      }
    },
  )

  it.each([
    ['UTF-32LE', Buffer.from('fffe000031000000', 'hex')],
    ['UTF-32BE', Buffer.from('0000feff00000031', 'hex')],
  ])('says that it reads no %s', async (_, bytes) => {
    const { problems } = await readAll([{ kind: 'stream', name: 'in', stream: Readable.from([bytes]) }])
    expect(problems).toMatchObject([{ where: 'in', message: expect.stringContaining('it is in UTF-32: convert it') }])
  })

  it('tells the lines that are neither UTF-8 nor UTF-16, or have NULs, and reads the others', async () => {
    const bytes = Buffer.from('unix:/\xe9\n127.0.0.1:80\n1\x002\n127.0.0.2:80', 'latin1')
    const { targets, problems } = await readAll([{ kind: 'stream', name: 'in', stream: Readable.from([bytes]) }])
    expect(targets).toEqual(['127.0.0.1:80', '127.0.0.2:80'])
    expect(problems.map(({ where }) => where)).toEqual(['in:1', 'in:3'])
    expect(problems[0]!.message).toMatch(/it is not in UTF-8/)
    expect(problems[1]!.message).toMatch(/it has \\u0000/)
  })

  it('reads what is shorter than a byte order mark', async () => {
    for (const [short, count] of [
      ['', 0],
      ['a:1', 1],
    ] as const) {
      const stream = Readable.from(short === '' ? [] : [Buffer.from(short)])
      expect((await readAll([{ kind: 'stream', name: 'in', stream }])).targets).toHaveLength(count)
    }
  })

  it('reads no further than it is asked to', async () => {
    let given = 0
    const endless = new Readable({
      highWaterMark: 1024,
      read() {
        given += 1
        this.push('127.0.0.1:80\n'.repeat(50))
      },
    })
    for await (const _ of targetsOf([{ kind: 'stream', name: 'standard input', stream: endless }])) break
    expect(given).toBeLessThan(10)
    expect(endless.destroyed).toBe(true)
  })

  it('ends quietly when aborted while it waits for input', async () => {
    const controller = new AbortController()
    const silent = new Readable({ read() {} })
    const all = readAll([{ kind: 'stream', name: 'standard input', stream: silent }], controller.signal)
    setTimeout(() => controller.abort(), 10)
    expect(await all).toEqual({ targets: [], problems: [] })
    expect(silent.destroyed).toBe(true)
  })
})

describe('countTargets', () => {
  it('counts what can be read twice, up to a limit', async () => {
    const inputs: Input[] = [fileOf('count.txt', '127.0.0.1:80-89\nbad\n'), { kind: 'targets', targets: ['unix:@a'] }]
    expect(await countTargets(inputs, 11)).toBe(11)
    expect(await countTargets(inputs, 10)).toBeUndefined()
    const stream: Input = { kind: 'stream', name: 'standard input', stream: Readable.from([]) }
    expect(await countTargets([stream], 10)).toBeUndefined()
  })
})

describe('targetsOf with a seed', () => {
  const textsOf = async (inputs: Input[], options: Parameters<typeof targetsOf>[1]): Promise<string[]> => {
    const targets: string[] = []
    for await (const target of targetsOf(inputs, options)) targets.push(target.text)
    return targets
  }

  it('lets ranges take turns, and repeats the order', async () => {
    const list = fileOf('ranges.txt', '10.0.0.0/24:80,443\na:1\n10.0.1.0/24:80\nb:1\n')
    const targets = await textsOf([list], { seed: 4 })
    expect(targets).toHaveLength(512 + 256 + 2)
    expect(new Set(targets).size).toBe(targets.length)
    const first = targets.slice(0, 256).filter((text) => text.startsWith('10.0.1.'))
    expect(first.length).toBeGreaterThan(120)
    expect(targets.indexOf('a:1')).toBeLessThan(targets.indexOf('b:1'))
    expect(await textsOf([list], { seed: 4 })).toEqual(targets)
    expect(await textsOf([list], { seed: 5 })).not.toEqual(targets)
    // The same list through a pipe, in whatever chunks.
    const chunks = ['10.0.0.0/24:80,', '443\na:1\n10.0.1', '.0/24:80\nb:1\n'].map((text) => Buffer.from(text))
    const stream: Input = { kind: 'stream', name: 'in', stream: Readable.from(chunks) }
    expect(await textsOf([stream], { seed: 4 })).toEqual(targets)
  })

  it('goes on with a range where a slow source says nothing', async () => {
    const controller = new AbortController()
    const silent: Input = { kind: 'stream', name: 'in', stream: new Readable({ read() {} }) }
    const taken: string[] = []
    const inputs: Input[] = [{ kind: 'argument', text: '10.0.0.0/30:80' }, silent]
    for await (const target of targetsOf(inputs, { seed: 1, signal: controller.signal })) {
      taken.push(target.text)
      if (taken.length === 4) break
    }
    expect(taken).toHaveLength(4)
    expect(silent.kind === 'stream' && silent.stream.destroyed).toBe(true)
  })

  it('leaves out what is in other shards, and counts so', async () => {
    const list = [
      fileOf('shard.txt', 'a:1 b:1 10.0.0.0/26:80,443\na:2 c:1'),
      { kind: 'argument', text: 'd:1-9' } as const,
    ]
    const all = await textsOf(list, { seed: 1 })
    const shares = await Promise.all(
      [1, 2, 3].map((index) => textsOf(list, { seed: index, shard: { index, count: 3 } })),
    )
    expect(shares.flat().sort()).toEqual(all.sort())
    for (const [at, share] of shares.entries()) {
      expect(await countTargets(list, 1_000, { index: at + 1, count: 3 })).toBe(share.length)
    }
    const hosts = shares.map((share) => new Set(share.map((text) => text.replace(/:\d+$/, ''))))
    expect(new Set(hosts.flatMap((set) => [...set])).size).toBe(hosts.reduce((sum, { size }) => sum + size, 0))
  })

  it('reads all words of a list that is longer than what may be open', async () => {
    const lines = Array.from({ length: 3_000 }, (_, index) => `10.${index >> 8}.${index & 255}.0/31:80 bad`)
    const problems: Problem[] = []
    const list = fileOf('many.txt', lines.join('\n'))
    const targets = await textsOf([list], { seed: 1, onProblem: (problem) => void problems.push(problem) })
    expect(new Set(targets).size).toBe(6_000)
    expect(problems.map(({ line }) => line)).toEqual(lines.map((_, index) => index + 1))
  })
})
