import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { PlannedTarget } from '#internal/check/planned-target'
import { countTargets, type Input, type Problem, targetsOf } from '#internal/cli/input'
import { DocumentError, type Node } from '#internal/cli/input/document'
import { entriesOfFileSd, isFileSd } from '#internal/cli/input/file-sd'
import { jsonItems } from '#internal/cli/input/json'
import { yamlNode } from '#internal/cli/input/yaml'

const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-file-sd-'))
afterAll(() => rmSync(directory, { recursive: true }))

function fileOf(name: string, text: string): Input & { kind: 'file' } {
  const path = join(directory, name)
  writeFileSync(path, text)
  return { kind: 'file', path }
}

const piped = (text: string): Input => ({
  kind: 'stream',
  name: 'standard input',
  stream: Readable.from([Buffer.from(text)]),
})

async function readAll(input: Input) {
  const targets: [text: string, labels: unknown][] = []
  const problems: Problem[] = []
  for await (const target of targetsOf([input], { onProblem: (problem) => void problems.push(problem) })) {
    targets.push([target.text, PlannedTarget.is(target) ? target.labels : undefined])
  }
  return { targets, problems }
}

const json = `[
  { "targets": ["127.0.0.1:80-81", "db:5432"], "labels": { "job": "web", "zone": "a\\u00e9" } },
  { "labels": {}, "targets": ["unix:@a"] }
]`
const yaml = `# of the machine room
- targets: ['127.0.0.1:80-81', db:5432]
  labels: { job: web, zone: "aé" }
- targets:
    - unix:@a
`
const labels = { job: 'web', zone: 'aé' }
const expected = [
  ['127.0.0.1:80', labels],
  ['127.0.0.1:81', labels],
  ['db:5432', labels],
  ['unix:@a', undefined],
]

describe('file_sd', () => {
  it.each([
    ['targets.json', json],
    ['targets.JSON', `\ufeff${json}`],
    ['targets.yml', yaml],
    ['targets.yaml', yaml],
    ['json-in.yml', json],
    ['targets.txt', json],
    ['targets', ` \n\n${json}`],
  ])('%s is read, with its labels, one object a group', async (name, text) => {
    const file = fileOf(name, text)
    const { targets, problems } = await readAll(file)
    expect(problems).toEqual([])
    expect(targets).toEqual(expected)
    expect(targets[0]![1]).toBe(targets[2]![1])
    expect(await countTargets([file], 100)).toBe(4)
  })

  it('is read from a pipe', async () => {
    expect((await readAll(piped(json))).targets).toEqual(expected)
    const chunks = [...json].map((character) => Buffer.from(character))
    const slowly: Input = { kind: 'stream', name: 'standard input', stream: Readable.from(chunks) }
    expect((await readAll(slowly)).targets).toEqual(expected)
  })

  it('is not what a list of lines is', async () => {
    const lines = '\n  [::1]:80\n[fe80::1]:80 [::]:1\n[2001:db8::/127]:80\n'
    const { targets, problems } = await readAll(piped(lines))
    expect(problems).toEqual([])
    expect(targets.map(([text]) => text)).toEqual([
      '[::1]:80',
      '[fe80::1]:80',
      '[::]:1',
      '[2001:db8::]:80',
      '[2001:db8::1]:80',
    ])
    fc.assert(fc.property(fc.ipV6(), (address) => !isFileSd(`[${address}]:80`)))
    for (const start of ['[', '[{', ' [\n', '[]', '[\t{']) expect(isFileSd(start)).toBe(true)
    for (const start of ['', 'a:1', '#[', '[:', '[a', '[fe80::1%eth0]:1']) expect(isFileSd(start)).toBe(false)
  })

  it.each([
    ['empty.json', ''],
    ['empty.yml', '# nothing\n'],
    ['null.yml', '---\n'],
    ['none.json', '[]'],
    ['null.json', '[{"targets": null, "labels": null}]'],
  ])('%s has no targets, and nothing is wrong with it', async (name, text) => {
    expect(await readAll(fileOf(name, text))).toEqual({ targets: [], problems: [] })
  })

  const bad: [string, string, [place: string, message: RegExp][], string[]][] = [
    [
      'bad.json',
      '[\n {"targets": ["nonsense", "a:1", 7, null, ["b:1"], {}], "label": {}},\n 3,\n {"labels": {"x": []}, "targets": ["b:1"]},\n {"labels": []},\n {"targets": "c:1"}\n]',
      [
        ['2:57', /'label' is not known here: did you mean labels\?/],
        ['2:15', /'nonsense' is not a target/],
        ['2:34', /^7 is not a target: expected a text/],
        ['2:37', /^nothing is not a target/],
        ['2:43', /^a list is not a target/],
        ['2:52', /^a mapping is not a target/],
        ['3:2', /the group is 3: expected/],
        ['4:19', /the label 'x' is a list: expected a text/],
        ['5:13', /labels is a list: expected a mapping/],
        ['5:2', /the group has no targets/],
        ['6:14', /targets is 'c:1': expected a list/],
      ],
      ['a:1', 'b:1'],
    ],
    ['object.json', '{"groups": []}', [['1:1', /is a mapping: give it with --config; expected a list of groups/]], []],
    ['text.yml', 'a:1\n', [['1:1', /is 'a:1': expected a list of groups/]], []],
    [
      'cut.json',
      '[{"targets": ["a:1"]},\n {"targets": ["b:',
      [['2:15', /is not JSON: expected a " that ends/]],
      ['a:1'],
    ],
    ['comma.json', '[{"targets": ["a:1"]},]', [['1:23', /is not JSON: expected a value/]], ['a:1']],
    ['more.json', '[] x', [['1:4', /expected the end/]], []],
    ['twice.json', '[{"targets": ["a:1"], "targets": []}]', [['1:23', /targets is there twice/]], ['a:1']],
    ['broken.yml', '- targets: [a:1\n- labels: {}\n', [['2:1', /is not YAML: /]], []],
    ['twice.yml', '- targets: [a:1]\n  targets: [b:1]\n', [['2:3', /is not YAML: map keys must be unique/]], []],
    ['alias.yml', '- targets: *here\n', [['1:12', /names an anchor that is not before it: \*here/]], []],
    ['two.yml', '[]\n---\n[]\n', [['2:1', /begins a second document: expected one/]], []],
    ['v6.yml', '- targets:\n  - [::1]:80\n', [['2:10', /is not YAML: .*'\[::1\]:80' is written in quotes/]], []],
    ['v6-in-list.yml', '- targets: [[::1]:80]\n', [['1:13', /a name that is no text; .* in quotes/]], []],
    ['key.yml', '- {[a]: b}\n', [['1:4', /has a name that is no text/]], []],
  ]

  it.each(bad)('%s: each mistake has its line and column, and the rest is read', async (name, text, expected, rest) => {
    const file = fileOf(name, text)
    const { targets, problems } = await readAll(file)
    expect(targets.map(([text]) => text)).toEqual(rest)
    expect(problems.map(({ where }) => where)).toEqual(expected.map(([place]) => `${file.path}:${place}`))
    for (const [index, [, message]] of expected.entries()) expect(problems[index]!.message).toMatch(message)
    expect(problems[0]).toMatchObject({ file: file.path, line: expect.any(Number), column: expect.any(Number) })
  })

  it('takes what is no text of a label as it is written', async () => {
    const { targets } = await readAll(
      fileOf('numbers.yml', '- {targets: [a:1], labels: {port: 080, on: true, at: 1.50}}'),
    )
    expect(targets[0]![1]).toEqual({ port: '080', on: 'true', at: '1.50' })
  })

  it('has labels that are called like members of every object', async () => {
    const { targets } = await readAll(
      fileOf('proto.json', '[{"targets":["a:1"],"labels":{"__proto__":"x","toString":"y"}}]'),
    )
    expect(JSON.stringify(targets[0]![1])).toBe('{"__proto__":"x","toString":"y"}')
  })

  it('is bounded, deep or of aliases of aliases', async () => {
    const deep = await readAll(fileOf('deep.json', '['.repeat(100_000)))
    expect(deep.problems[0]!.message).toMatch(/no deeper than 100/)
    const deepYaml = await readAll(fileOf('deep.yml', '['.repeat(20_000)))
    expect(deepYaml.problems).toHaveLength(1)
    const levels = Array.from({ length: 30 }, (_, n) => `- &a${n + 1} [*a${n}, *a${n}, *a${n}, *a${n}]`)
    const bomb = await readAll(fileOf('bomb.yml', `- &a0 [x]\n${levels.join('\n')}`))
    expect(bomb.problems).toHaveLength(31)
    const round = await readAll(fileOf('round.yml', '- &a { targets: *a }\n'))
    expect(round.problems[0]!.message).toMatch(/targets is a mapping/)
  })

  it('says that it is too large, and what to do', async () => {
    for (const kind of ['json', 'yaml'] as const) {
      const texts = Readable.from(['[', ' '.repeat(10)])
      const batches: unknown[] = []
      for await (const batch of entriesOfFileSd(texts, 'f', kind, 10)) batches.push(...batch)
      expect(batches).toMatchObject([{ where: 'f', message: expect.stringMatching(/is larger than .*MiB: .*write/) }])
    }
  })
})

/** As JSON.parse has it. */
function plain(node: Node): unknown {
  if (node.kind === 'list') return node.items.map(plain)
  if (node.kind === 'map') return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]))
  return node.value
}

describe('jsonItems', () => {
  it('reads what JSON.parse reads, and where it stands', () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue({ maxDepth: 4 })), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space)
        const items = [...jsonItems(text)]
        expect(items.map(plain)).toEqual(JSON.parse(text))
        const yaml = yamlNode(JSON.stringify(value))
        expect(yaml && JSON.stringify(plain(yaml))).toBe(JSON.stringify(value))
      }),
      { numRuns: 100 },
    )
  })

  it('refuses what JSON.parse refuses', () => {
    const reads = (read: () => unknown): boolean => {
      try {
        read()
        return true
      } catch (error) {
        expect([SyntaxError, DocumentError]).toContain((error as Error).constructor)
        return false
      }
    }
    const piece = fc.constantFrom(
      ...'[]{},:"\\ \n01-.e+tnu',
      'true',
      'false',
      'null',
      '"a"',
      '1.5',
      '\\u00e9',
      '\\"',
      '\u0001',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = `[${pieces.join('')}]`
        expect(reads(() => [...jsonItems(text)])).toBe(reads(() => JSON.parse(text)))
      }),
      { numRuns: 3_000 },
    )
  })
})
