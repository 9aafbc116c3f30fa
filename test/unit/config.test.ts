import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { PlannedTarget } from '#internal/check/planned-target'
import { type Problem, targetsOf } from '#internal/cli/input'
import { type Config, readConfig } from '#internal/cli/input/config'
import { selfSigned } from '../support/certificate.js'

const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-config-'))
afterAll(() => rmSync(directory, { recursive: true }))
const path = join(directory, 'checks.yml')

async function read(text: string | Buffer): Promise<{ config?: Config; problems: Problem[]; error?: Error }> {
  writeFileSync(path, text)
  const problems: Problem[] = []
  try {
    const times = (timeoutMs: number) => ({ timeoutMs: 2 * timeoutMs, attemptTimeoutMs: timeoutMs })
    return { config: await readConfig(path, times, (problem) => problems.push(problem)), problems }
  } catch (error) {
    return { problems, error: error as Error }
  }
}

async function targetsIn(text: string) {
  const { config, problems } = await read(text)
  expect(problems).toEqual([])
  const targets: unknown[] = []
  const inputs = [{ kind: 'config', config: config! } as const]
  for await (const target of targetsOf(inputs, { onProblem: (problem) => void problems.push(problem) })) {
    if (!PlannedTarget.is(target)) throw new Error('expected a group')
    targets.push([target.text, target.own, target.labels])
  }
  return { targets, problems, config }
}

describe('readConfig', () => {
  it('reads groups, and the top level as a group and as their defaults', async () => {
    const { targets } = await targetsIn(`
timeout: 1s
labels: { team: infra, zone: a }
probe: { tls: true }
targets: [top:1]
groups:
  - name: web
    targets:
      - web:80-81
      - '[::1]:80'
    labels: { zone: b }
    probe: { servername: web.internal }
  - targets: [db:5432]
    timeout: 500ms
`)
    const second = { timeoutMs: 2_000, attemptTimeoutMs: 1_000 }
    const web = [
      { tls: { servername: 'web.internal' }, ...second },
      { team: 'infra', zone: 'b' },
    ]
    expect(targets).toEqual([
      ['top:1', { tls: true, ...second }, { team: 'infra', zone: 'a' }],
      ['web:80', ...web],
      ['web:81', ...web],
      ['[::1]:80', ...web],
      ['db:5432', { tls: true, timeoutMs: 1_000, attemptTimeoutMs: 500 }, { team: 'infra', zone: 'a' }],
    ])
  })

  it('shares what a group gives among its targets', async () => {
    const { targets } = await targetsIn('groups: [{ targets: [a:1, a:2], labels: { x: y }, timeout: 1s }]')
    const [[, own, labels], [, otherOwn, otherLabels]] = targets as [unknown[], unknown[]]
    expect(own).toBe(otherOwn)
    expect(labels).toBe(otherLabels)
  })

  it('reads steps, with patterns and escapes', async () => {
    const { targets } = await targetsIn(`
targets: [a:1]
probe:
  steps:
    - send: "PING\\r\\n"
    - { expect: '^\\+PONG', maxBytes: 100 }
    - starttls: true
    - starttls: { servername: b, alpn: [h2], insecure: true }
`)
    expect(targets).toEqual([
      [
        'a:1',
        {
          tls: false,
          steps: [
            { send: 'PING\r\n' },
            { expect: /^\+PONG/s, maxBytes: 100 },
            { starttls: true },
            { starttls: { servername: 'b', ALPNProtocols: ['h2'], rejectUnauthorized: false } },
          ],
        },
        undefined,
      ],
    ])
  })

  it('merges mappings by <<: what stands beside it goes first, and of several the first', async () => {
    const { targets } = await targetsIn(`
groups:
- &web { targets: [a:1], labels: &l { job: web, zone: a }, timeout: 1s, probe: &p { tls: true } }
- { <<: *web, targets: [b:1], labels: { <<: [{ zone: b }, *l], job: api } }
- targets: [c:1]
  probe:
    <<: *p
    servername: c.internal
    tls: { <<: { insecure: true } }
`)
    const second = { timeoutMs: 2_000, attemptTimeoutMs: 1_000 }
    expect(targets).toEqual([
      ['a:1', { tls: true, ...second }, { job: 'web', zone: 'a' }],
      ['b:1', { tls: true, ...second }, { job: 'api', zone: 'b' }],
      ['c:1', { tls: { rejectUnauthorized: false, servername: 'c.internal' } }, undefined],
    ])
  })

  it('gives the days of certificates to the groups that speak TLS', async () => {
    const { targets, config } = await targetsIn(`
certMinDays: 14
groups:
- { targets: [a:1], probe: { tls: true } }
- { targets: [b:1] }
- { targets: [c:1], probe: { preset: redis } }
- { targets: [d:1], probe: { steps: [{ starttls: true }] } }
`)
    const steps = expect.anything()
    expect(targets).toEqual([
      ['a:1', { tls: true, minCertificateDays: 14 }, undefined],
      ['b:1', undefined, undefined],
      ['c:1', { steps }, undefined],
      ['d:1', { tls: false, steps, minCertificateDays: 14 }, undefined],
    ])
    expect(config).toMatchObject({ minCertificateDays: 14, speaksTls: true })
  })

  it('makes steps of protocols', async () => {
    const { targets } = await targetsIn(`
groups:
- { targets: [a:1], probe: { preset: redis } }
- { targets: [b:1], probe: { preset: http, expectStatus: '200,3xx', servername: www } }
- { targets: [c:1], probe: { starttls: smtp, servername: mail } }
- { targets: [d:1], probe: { tls: true, preset: ssh } }
`)
    const steps = expect.arrayContaining([expect.anything()])
    expect(targets).toEqual([
      ['a:1', { steps }, undefined],
      ['b:1', { tls: { servername: 'www' }, steps }, undefined],
      ['c:1', { tls: false, steps: expect.arrayContaining([{ starttls: { servername: 'mail' } }]) }, undefined],
      ['d:1', { tls: true, steps }, undefined],
    ])
  })

  it('reads certificates beside the file, once', async () => {
    const { cert, key } = selfSigned()
    mkdirSync(join(directory, 'tls'), { recursive: true })
    writeFileSync(join(directory, 'tls/cert.pem'), cert)
    writeFileSync(join(directory, 'tls/key.pem'), key)
    const { targets } = await targetsIn(
      'targets: [a:1]\nprobe: { tls: { ca: tls/cert.pem, cert: tls/cert.pem, key: tls/key.pem }, servername: localhost }',
    )
    expect(targets).toMatchObject([
      ['a:1', { tls: { servername: 'localhost', secureContext: expect.anything() } }, undefined],
    ])
  })

  it('tells a target that cannot be read when it is read, and takes the others', async () => {
    const { targets, problems } = await targetsIn('groups:\n- targets: [a:1, nonsense,\n    7, b:1]')
    expect(targets).toHaveLength(2)
    expect(problems.map(({ line, column }) => [line, column])).toEqual([
      [2, 18],
      [3, 5],
    ])
  })

  const wrong: [text: string, places: [place: string, message: RegExp][]][] = [
    ['', [['1:1', /is empty: expected groups/]]],
    ['- a:1', [['1:1', /is a list: expected groups/]]],
    ['groups: [', [['1:10', /is not YAML/]]],
    ['group: []', [['1:1', /'group' is not known here: did you mean groups\?/]]],
    ['groups: 3', [['1:9', /groups is 3: expected a list/]]],
    [
      'groups: [3, { name: x }]',
      [
        ['1:10', /the group is 3/],
        ['1:13', /the group 'x' has no targets/],
      ],
    ],
    [
      'groups:\n- target: [a:1]',
      [
        ['2:3', /did you mean targets/],
        ['2:3', /has no targets/],
      ],
    ],
    ['targets: a:1', [['1:10', /targets is 'a:1': expected a list/]]],
    ['targets: []\nname: [x]', [['2:7', /name is a list: expected a text/]]],
    ['targets: []\nlabels: { a: { b: c } }', [['2:14', /the label 'a' is a mapping/]]],
    ['targets: []\ntimeout: 3', [['2:10', /timeout is 3: expected a duration such as 500ms, 3s or 2m/]]],
    ['targets: []\ntimeout: 1h', [['2:10', /timeout is '1h': expected a duration/]]],
    ['targets: []\ntimeout: 11m', [['2:10', /expected 1ms to 10m/]]],
    ['targets: []\ncertMinDays: soon', [['2:14', /certMinDays is 'soon': expected a whole number of days/]]],
    ['targets: []\nprobe: tls', [['2:8', /probe is 'tls': expected a mapping/]]],
    ['targets: []\nprobe: { certMinDays: 3 }', [['2:10', /is for the whole check: give it at the top level/]]],
    ['targets: []\nprobe: { tsl: true }', [['2:10', /'tsl' is not known here: did you mean tls\?/]]],
    ['targets: []\nprobe: { tls: 1 }', [['2:15', /tls is 1: expected true, false or a mapping/]]],
    ['targets: []\nprobe: { tls: { serverName: 3 } }', [['2:17', /did you mean servername/]]],
    [
      'targets: []\nprobe: { tls: { servername: 10.0.0.1 } }',
      [['2:29', /servername is '10.0.0.1': expected a host name/]],
    ],
    [
      'targets: []\nprobe: { tls: { alpn: h2, insecure: no } }',
      [
        ['2:23', /alpn is 'h2': expected a list/],
        ['2:37', /insecure is 'no'/],
      ],
    ],
    [
      'targets: []\nprobe: { tls: { ca: missing.pem } }',
      [['2:21', /^ca is 'missing.pem', which cannot be read: no such file/]],
    ],
    [
      'targets: []\nprobe: { tls: { cert: a } }',
      [
        ['2:23', /cert needs key/],
        ['2:23', /^cert is 'a', which cannot be read/],
      ],
    ],
    [
      `targets: []\nprobe: { tls: { alpn: [h2, '', 3, ${'x'.repeat(256)}] } }`,
      [
        ['2:28', /alpn is '': expected a protocol/],
        ['2:32', /alpn is 3: expected a protocol/],
        ['2:35', /alpn has a name of 256 bytes: expected at most 255/],
      ],
    ],
    ['targets: []\nprobe: { starttls: ftp }', [['2:20', /starttls is 'ftp': expected one of smtp, postgres, mysql/]]],
    ['targets: []\nprobe: { preset: htp }', [['2:18', /expected one of http, redis/]]],
    ['targets: []\nprobe: { expectStatus: 2xx }', [['2:24', /expectStatus needs preset: http/]]],
    ['targets: []\nprobe: { preset: http, expectStatus: ok }', [['2:38', /expected a final status from 200 to 599/]]],
    ['targets: []\nprobe: { preset: http, expectStatus: 1xx }', [['2:38', /expected a final status from 200 to 599/]]],
    ['targets: []\nprobe: { preset: http, expectStatus: 100 }', [['2:38', /expected a final status from 200 to 599/]]],
    ['targets: []\nprobe: { tls: true, starttls: smtp }', [['2:31', /starttls and tls exclude/]]],
    ['targets: []\nprobe: { tls: false, servername: a }', [['2:34', /tls is false/]]],
    ['targets: []\nprobe: { tls: { servername: a }, servername: a }', [['2:46', /given twice/]]],
    ['targets: []\nprobe: { tls: true, steps: [{ starttls: true }] }', [['2:28', /a step starttls and tls exclude/]]],
    ['targets: []\nprobe: { servername: a, steps: [{ starttls: true }] }', [['2:22', /belongs into the step/]]],
    ['targets: []\nprobe: { steps: hello }', [['2:17', /steps is 'hello': expected a list/]]],
    ['targets: []\nprobe: { steps: [hello] }', [['2:18', /the step is 'hello': expected one of/]]],
    ['targets: []\nprobe: { steps: [{}] }', [['2:18', /has none of/]]],
    ['targets: []\nprobe: { steps: [{ send: a, expect: b }] }', [['2:18', /has several of/]]],
    [
      'targets: []\nprobe: { steps: [{ sned: a }] }',
      [
        ['2:20', /did you mean send/],
        ['2:18', /has none of/],
      ],
    ],
    ['targets: []\nprobe: { steps: [{ send: 3 }] }', [['2:26', /send is 3: expected a text/]]],
    ['targets: []\nprobe: { steps: [{ send: PING\\r\\n }] }', [['2:26', /write it in double quotes/]]],
    ['targets: []\nprobe: { steps: [{ expect: "(" }] }', [['2:28', /expect is no regular expression/]]],
    [
      'targets: []\nprobe: { steps: [{ expect: a, maxBytes: 0 }] }',
      [['2:41', /maxBytes is 0: expected a whole number/]],
    ],
    ['targets: []\nprobe: { steps: [{ send: a, maxBytes: 1 }] }', [['2:39', /maxBytes needs expect/]]],
    [
      'targets: []\nprobe: { steps: [{ expect: a(?=b) }] }',
      [['2:18', /^the step.expect is .*has look-around, which takes no linear time/]],
    ],
    [
      'targets: []\nprobe:\n  steps:\n  - send: a\n  - expect: (a)\\1\n  - { expect: b, maxBytes: 99999999 }\n  - starttls: 3',
      [
        ['5:5', /has a back-reference/],
        ['6:5', /maxBytes is 99999999: expected a whole number from 1 to 1048576/],
        ['7:15', /starttls is 3: expected true, false or a mapping/],
      ],
    ],
    [
      `targets: []\nprobe: { steps: [${'{ send: a }, '.repeat(100)}{ send: b }] }`,
      [['2:17', /steps has 101 steps: expected at most 100/]],
    ],
    ['targets: [a:1]\n---\ntargets: [b:1]', [['2:1', /begins a second document: expected one/]]],
    ['targets: []\nlabels: { <<: 3 }', [['2:11', /merges 3: after << expected a mapping/]]],
    ['targets: []\nlabels: &a { <<: *a }', [['2:14', /merges a mapping into itself/]]],
    ['targets: []\nlabels: { "<<": { a: b } }', [['2:17', /the label '<<' is a mapping/]]],
    [
      `targets: []\nlabels: &a { ${Array.from({ length: 1_000 }, (_, i) => `l${i}: x`).join(', ')} }\ngroups: [${'{ targets: [], labels: { <<: *a } }, '.repeat(101)}]`,
      [['3:3735', /merges more than 100,000 members by <</]],
    ],
    ['targets: []\nprobe: { steps: [{ starttls: false }] }', [['2:30', /starttls is false/]]],
  ]

  it.each(wrong)('%j: each mistake has its line and column', async (text, places) => {
    const { problems, error } = await read(text)
    expect(problems.map(({ where, message }) => [where, message])).toEqual(
      places.map(([place, message]) => [`${path}:${place}`, expect.stringMatching(message)]),
    )
    expect(error).toMatchObject({
      name: 'UsageError',
      message: expect.stringMatching(/checks.yml has (a mistake|\d mistakes): nothing was checked/),
    })
  })

  it('reads the example of the documentation', async () => {
    const page = readFileSync(new URL('../../docs/command.md', import.meta.url), 'utf8')
    const [, example] = /```yaml\n(timeout.*?)```/s.exec(page)!
    const { targets } = await targetsIn(example!)
    expect(targets).toHaveLength(18)
  })

  it('says why it cannot be read', async () => {
    await expect(
      readConfig(
        join(directory, 'missing.yml'),
        () => ({}),
        () => {},
      ),
    ).rejects.toThrow(/missing.yml cannot be read: no such file or directory/)
    expect((await read(Buffer.from([0x74, 0xff]))).error!.message).toMatch(/checks.yml is not in UTF-8/)
    expect((await read(' '.repeat(4_194_305))).error!.message).toMatch(/cannot be read: it is larger than 4 MiB/)
  })

  it('shows nothing that a terminal obeys', async () => {
    const { problems } = await read('"\\e[2J": 1\ntargets: []\nname: ["\\u202e"]\nprobe: { tls: "\\e[2J" }')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what must not be there
    for (const { message } of problems) expect(message).not.toMatch(/[\u001b\u202e]/)
    expect(problems).toHaveLength(3)
  })
})
