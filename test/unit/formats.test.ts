import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatNameOf } from '#internal/cli/formats/formats'
import { seriesOf } from '#internal/core/exposition'
import {
  faultsOfJunit,
  faultsOfMetrics,
  lackingPromtool,
  lackingXmllint,
  recordsOfCsv,
  refused,
  resultOf,
  rowsOfCsv,
  written,
} from '../support/formats.js'
import { because } from '../support/servers.js'

const expiring = (target: string) => refused(target, { code: 'ERR_CERT_EXPIRING', errnoClass: 'protocol' })
const unknown = (target: string) => refused(target, { status: 'unknown', code: 'EMFILE', errnoClass: 'local' })
const badLine = {
  where: 'list:7',
  message: 'bad',
  words: [{ text: 'a', message: "'a' is bad" }],
  file: 'list',
  line: 7,
}
const unread = { where: 'list', message: 'cannot be read: no such file', words: [], file: 'list' }
const interruption = { cutOff: 2, notBegun: undefined }

describe('the format asked for', () => {
  it.each([
    [{}, 'table'],
    [{ json: true }, 'json'],
    [{ format: 'csv' }, 'csv'],
    [{ json: true, format: 'json' }, 'json'],
  ] as const)('%j is %s', (flags, name) => {
    expect(formatNameOf(flags)).toBe(name)
  })

  it('is one: --json beside another is refused', () => {
    expect(() => formatNameOf({ json: true, format: 'csv' })).toThrow('--json and --format csv')
  })
})

describe('csv', () => {
  it('has a header and a row a result, a cell for each of its parts', async () => {
    const certificate = { subject: 'CN=a, O=B', issuer: 'CN="c"', validTo: 0, daysLeft: -3, fingerprint256: 'AB:CD' }
    const labels = { b: '2', a: '1,"' }
    const given = resultOf('a:1', { startedAt: 1_000, address: '::1', port: 1, connectMs: 0.25, labels, certificate })
    const { text } = await written('csv', { results: [given, refused('b:1')], problems: [badLine] })
    const [bad, up, down] = recordsOfCsv(text)
    expect(bad).toMatchObject({ target: 'a', status: 'unknown', code: 'ERR_INVALID_TARGET', file: 'list', line: '7' })
    expect(up).toMatchObject({
      target: 'a:1',
      status: 'up',
      code: '',
      address: '::1',
      port: '1',
      connectMs: '0.25',
      startedAt: '1970-01-01T00:00:01.000Z',
      certificateSubject: 'CN=a, O=B',
      certificateIssuer: 'CN="c"',
      certificateDaysLeft: '-3',
      labels: '{"a":"1,\\"","b":"2"}',
    })
    expect(down).toMatchObject({
      status: 'down',
      code: 'ECONNREFUSED',
      errnoClass: 'refused',
      reason: 'Nothing listens.',
    })
  })

  it.each(['=1+1', '+1', '-host:80', '@SUM(A1)', '\t=1', '\r=1', ' =1', '＝1', '－1'])(
    'leaves %j no formula',
    async (text) => {
      const labels = { [text]: text }
      const results = [refused(text, { path: text, reason: text, code: text, labels })]
      for (const row of rowsOfCsv((await written('csv', { results })).text).slice(1))
        for (const cell of row) expect(cell).toMatch(/^([^\s=+\-@＝＋－＠]|$)/)
    },
  )

  it('reads back as what it was, whatever that is', async () => {
    const seen = fc.string({ unit: fc.constantFrom('a', '"', ',', ';', ' ', '|', 'é', '例', "'", '\\') })
    await fc.assert(
      fc.asyncProperty(seen, seen, async (target, reason) => {
        const { text } = await written('csv', { results: [refused(target, { reason })] })
        expect(recordsOfCsv(text)).toMatchObject([{ target, reason }])
      }),
    )
  })
})

describe('junit', () => {
  const counts = (text: string) =>
    /<testsuites name="cancelpoint check" tests="(\d+)" failures="(\d+)" errors="(\d+)" time="1.234000">/
      .exec(text)!
      .slice(1)
      .map(Number)

  it('has a case a target, with its group or its host, and says what failed', async () => {
    const results = [
      resultOf('a.internal:1', { connectMs: 2, nameMs: 1 }),
      refused('[::1]:2', { labels: { group: 'db', env: 'prod' } }),
      unknown('tcp://10.0.0.1:3'),
      resultOf('unix:/run/a.sock'),
    ]
    const { text } = await written('junit', { results })
    expect(counts(text)).toEqual([4, 1, 1])
    expect(text).toContain('<testcase name="a.internal:1" classname="a.internal" time="0.003000"/>')
    expect(text).toContain('<testcase name="[::1]:2" classname="db"')
    expect(text).toContain('<property name="env" value="prod"/>')
    expect(text).toContain('<testcase name="tcp://10.0.0.1:3" classname="10.0.0.1"')
    expect(text).toContain('<testcase name="unix:/run/a.sock" classname="unix"')
    expect(text).toContain('<failure message="ECONNREFUSED (refused): Nothing listens." type="ECONNREFUSED">')
    expect(text).toContain('<error message="EMFILE (local): ')
  })

  it('tells what of the input is bad, and an interruption, as errors', async () => {
    const { text } = await written('junit', { results: [resultOf('a:1')], problems: [badLine, unread], interruption })
    expect(counts(text)).toEqual([4, 0, 3])
    expect(text).toContain('<property name="input.line" value="7"/>')
    expect(text).toContain('message="cannot be read: no such file"')
    expect(text).toContain('Interrupted: 1 checked, 2 cut off, what was left of the input not begun')
  })

  it('tells the addresses of a name apart', async () => {
    const results = ['127.0.0.1', '::1'].map((address) => resultOf('localhost:1', { address, port: 1 }))
    const { text } = await written('junit', { results, around: { allAddresses: true } })
    expect(text).toContain('name="localhost:1 (127.0.0.1)"')
    expect(text).toContain('name="localhost:1 (::1)"')
  })

  it('is whole when it is longer than what is kept in memory, to the last character', async () => {
    const results = Array.from({ length: 5_000 }, (_, i) => refused(`例え${i}.test:80`, { reason: 'é'.repeat(i % 97) }))
    const { text } = await written('junit', { results })
    expect(text.length).toBeGreaterThan(1_000_000)
    expect(text).not.toContain('\ufffd')
    expect([...text.matchAll(/<testcase name="例え(\d+)\.test:80"/g)].map(([, i]) => Number(i))).toEqual([
      ...Array(5_000).keys(),
    ])
    if (!lackingXmllint) expect(faultsOfJunit(text)).toBe('')
  })

  it.skipIf(lackingXmllint)(`is valid by its schema, with results and without${because(lackingXmllint)}`, async () => {
    const results = [resultOf('a:1', { labels: { a: 'b' } }), refused('b:1'), unknown('<&"\'>:1')]
    expect(faultsOfJunit((await written('junit', { results, problems: [badLine, unread], interruption })).text)).toBe(
      '',
    )
    expect(faultsOfJunit((await written('junit', {})).text)).toBe('')
  })
})

describe('nagios', () => {
  it.each([
    ['OK', 0, { results: [resultOf('a:1')] }],
    ['OK', 0, {}],
    ['WARNING', 1, { results: [resultOf('a:1'), expiring('b:1')] }],
    ['CRITICAL', 2, { results: [resultOf('a:1'), refused('b:1')] }],
    ['CRITICAL', 2, { results: [refused('a:1'), expiring('b:1'), unknown('c:1')], problems: [badLine], interruption }],
    ['UNKNOWN', 3, { results: [unknown('a:1')] }],
    ['UNKNOWN', 3, { results: [expiring('a:1'), unknown('b:1')] }],
    ['UNKNOWN', 3, { results: [resultOf('a:1')], problems: [badLine] }],
    ['UNKNOWN', 3, { results: [resultOf('a:1')], problems: [unread] }],
    ['UNKNOWN', 3, { results: [resultOf('a:1')], interruption }],
  ] as const)('%s, exit code %i: %j', async (state, code, given) => {
    const { text, exitCode } = await written('nagios', given)
    expect(exitCode).toBe(code)
    expect(text).toMatch(new RegExp(`^CANCELPOINT ${state} - [^|\\n]*\\d of \\d up[^|\\n]* \\| [^|\\n]*\\n$`))
  })

  it('has performance data', async () => {
    const results = [resultOf('a:1', { connectMs: 2 }), refused('b:1'), unknown('c:1')]
    const { text } = await written('nagios', { results })
    expect(text).toBe(
      'CANCELPOINT CRITICAL - 1 of 3 up, 1 down, 1 unknown: b:1 ECONNREFUSED, c:1 EMFILE | ' +
        'up=1;;;0;3 down=1;;;0;3 unknown=1;;;0;3 time=1.234000s;;;0 connect_p50=0.002000s;;;0 connect_max=0.002000s;;;0\n',
    )
  })

  it('is no longer than NRPE takes, and its data is whole', async () => {
    for (const length of [1, 10, 100, 1_000]) {
      const results = Array.from({ length }, (_, i) => refused(`${'例'.repeat(100)}${i}.test:80`, { code: 'E|X' }))
      const { text } = await written('nagios', { results })
      expect(Buffer.byteLength(text)).toBeLessThan(1_024)
      expect(text).toMatch(/ \| up=0;;;0;\d+ .*time=1\.234000s;;;0\n$/)
      const named = text.match(/\\u007cX/g)!.length
      if (named < length) expect(text).toContain(` and ${length - named} more | `)
    }
  })
})

describe('prometheus', () => {
  const lines = (text: string, name: string) => text.split('\n').filter((line) => line.startsWith(`${name}{`))

  it('has the samples of a metric together, with the names of blackbox_exporter', async () => {
    const certificate = { subject: 'a', issuer: 'b', validTo: 2_000_000_500, daysLeft: 1, fingerprint256: 'AB' }
    const results = [
      resultOf('a:1', { connectMs: 2, nameMs: 1, tlsMs: 3, stepsMs: 4, address: '::1', port: 1, certificate }),
      refused('b:1', { code: 'ERR_EXPECT', phase: 'expect', step: 1, address: '127.0.0.1', port: 1 }),
      unknown('c:1'),
    ]
    const { text } = await written('prometheus', { results })
    expect(lines(text, 'probe_success')).toEqual(['probe_success{target="a:1"} 1', 'probe_success{target="b:1"} 0'])
    expect(lines(text, 'cancelpoint_probe_unknown').map((line) => line.at(-1))).toEqual(['0', '0', '1'])
    expect(lines(text, 'probe_duration_seconds')[0]).toBe('probe_duration_seconds{target="a:1"} 0.01')
    expect(text).toContain('probe_dns_lookup_time_seconds{target="a:1"} 0.001\n')
    expect(text).toContain('cancelpoint_probe_phase_duration_seconds{target="a:1",phase="tls"} 0.003\n')
    expect(lines(text, 'probe_ip_protocol').map((line) => line.at(-1))).toEqual(['6', '4'])
    expect(text).toContain('probe_ssl_earliest_cert_expiry{target="a:1"} 2000000.5\n')
    expect(lines(text, 'probe_failed_due_to_regex').map((line) => line.at(-1))).toEqual(['0', '1'])
    expect(text).toContain(
      'cancelpoint_probe_failure_info{target="b:1",code="ERR_EXPECT",errno_class="refused",phase="expect"} 1\n',
    )
    for (const name of new Set(text.match(/^\w+/gm)))
      expect(text.match(new RegExp(`^# TYPE ${name} gauge$`, 'gm'))).toHaveLength(1)
  })

  it.each([
    [{ env: 'prod', job: 'db' }, 'env="prod",job="db"'],
    [{ 'a-b': '1', 'a.b': '2', a_b: '3' }, 'a_b="3",a_b_2="1",a_b_3="2"'],
    [{ a_b_2: '1', 'a-b': '2', a_b: '3' }, 'a_b="3",a_b_2="1",a_b_3="2"'],
    [{ target: '1', le: '2', exported_target: '3' }, 'exported_target="3",exported_le="2",exported_target_2="1"'],
    [{ __name__: '1', '9': '2', é: '3', '': '4', _: '5' }, '_="5",_9="2",label="4",label__name__="1",label_2="3"'],
    [{ a: '' }, ''],
    [{ a: 'x"y\\z\n' }, 'a="x\\"y\\\\z\\\\u000a"'],
  ])('labels %j become %s', (labels, text) => {
    const pairs = (series: string) => series.split(',').toSorted()
    expect(pairs(seriesOf('t', labels))).toEqual(pairs(`target="t"${text && `,${text}`}`))
  })

  it('never has a series twice, whatever its labels are called', async () => {
    const name = fc.string({ unit: fc.constantFrom('a', '_', '-', '1', 'é', '.', 'target'), maxLength: 4 })
    fc.assert(
      fc.property(fc.dictionary(name, fc.constantFrom('x', 'y', '"')), (labels) => {
        const names = [...seriesOf('t', labels).matchAll(/(\w+)="/g)].map(([, label]) => label)
        expect(new Set(names).size).toBe(names.length)
        expect(names).toHaveLength(1 + Object.keys(labels).length)
      }),
    )
  })

  it('has one series for results with the same target and labels, the worst, and says so', async () => {
    const orders = [
      [resultOf('a:1'), refused('a:1'), unknown('a:1')],
      [refused('a:1'), unknown('a:1'), resultOf('a:1')],
    ]
    for (const results of orders) {
      const { text, notes } = await written('prometheus', { results })
      expect(lines(text, 'probe_success')).toEqual(['probe_success{target="a:1"} 0'])
      expect(notes.join()).toMatch(/^2 results had the target and labels of another/)
      expect(text).toContain('cancelpoint_check_targets{status="down"} 1\n')
    }
    const apart = ['127.0.0.1', '::1'].map((address) => resultOf('a:1', { address, port: 1 }))
    const { text, notes } = await written('prometheus', { results: apart, around: { allAddresses: true } })
    expect(lines(text, 'probe_success')).toHaveLength(2)
    expect(notes).toEqual([])
  })

  it.skipIf(lackingPromtool)(`pleases promtool, with results and without${because(lackingPromtool)}`, async () => {
    const labels = { 'a-b': 'x"y\\', a_b: '例', target: 'z', __meta: 'm', le: '1' }
    const results = [resultOf('a:1', { labels, connectMs: 1, nameMs: 1 }), refused('b:1'), unknown('c:1')]
    const { text } = await written('prometheus', { results, problems: [badLine, unread], interruption })
    expect(text).toContain('cancelpoint_check_input_errors 2\n')
    expect(text).toContain('cancelpoint_check_interrupted 1\n')
    expect(faultsOfMetrics(text)).toBe('')
    expect(faultsOfMetrics((await written('prometheus', {})).text)).toBe('')
  })
})

describe('results of an earlier run', () => {
  const given = {
    earlier: [refused('old:1', { startedAt: 1 })],
    results: [resultOf('new:1')],
    around: { verbose: true },
  }

  it.each(['json', 'csv'] as const)('were printed then: %s', async (name) => {
    expect((await written(name, given)).text).not.toContain('old:1')
  })

  it.each(['table', 'junit', 'nagios', 'prometheus'] as const)(
    'are in what is written at the end: %s',
    async (name) => {
      const { text, exitCode } = await written(name, given)
      expect(text).toContain('old:1')
      if (name === 'table') expect(text).not.toMatch(/^old:1/)
      if (name === 'junit') expect(text).toContain('name="old:1" classname="old" time="0.000000"')
      if (name === 'prometheus') expect(text).toContain('probe_duration_seconds{target="old:1"} 0\n')
      if (name === 'nagios') expect(exitCode).toBe(2)
    },
  )
})

it('a long target is shortened, and no character of it halved', async () => {
  for (let length = 20; length < 60; length += 1) {
    const target = `${'a'.repeat(length)}${'😀'.repeat(60)}b`
    for (const name of ['table', 'nagios'] as const)
      expect((await written(name, { results: [refused(target)] })).text).not.toMatch(/\p{Cs}|\\ud8/u)
  }
})
