/** Labels and heads as Prometheus reads them, and which of its formats a scraper wants. */
import { describe, expect, it } from 'vitest'
import { dialectFor, type Family, familyText, headOf, linesOf, seconds, seriesOf } from '#internal/core/exposition'
import { durationMsOf, type Probed, probeFamilies, resultFamilies } from '#internal/core/probe-metrics'

describe('the labels of a series', () => {
  it.each<[Record<string, string>, string]>([
    [{ env: 'prod', app: 'x' }, 'app="x",env="prod"'],
    [{ 'app.kubernetes.io/name': 'x' }, 'app_kubernetes_io_name="x"'],
    [{ '0day': 'x' }, '_0day="x"'],
    [{ __name__: 'x', __: 'y' }, 'label="y",label__name__="x"'],
    [
      { target: 'a', state: 'b', code: 'c', phase: 'd', le: 'e', quantile: 'f', errno_class: 'g' },
      'exported_code="c",exported_errno_class="g",exported_le="e",exported_phase="d",exported_quantile="f",exported_state="b",exported_target="a"',
    ],
    [{ 'a-b': '1', a_b: '2', 'a.b': '3' }, 'a_b="2",a_b_2="1",a_b_3="3"'],
    [{ empty: '' }, ''],
    [{ job: 'a"b\\c\nd\u202e\ud800' }, 'job="a\\"b\\\\c\\\\u000ad\\\\u202e\\\\ud800"'],
    [{ ключ: 'x' }, 'label="x"'],
  ])('%o', (labels, expected) => {
    expect(seriesOf('h:1', labels)).toBe(expected ? `target="h:1",${expected}` : 'target="h:1"')
  })

  it('have the address where a target has several series', () => {
    expect(seriesOf('h:1', { address: 'x' }, '::1')).toBe('target="h:1",address="::1",exported_address="x"')
    expect(seriesOf('h:1', { address: 'x' })).toBe('target="h:1",address="x"')
  })
})

it('a head is what each format has', () => {
  const counter = { name: 'a', help: 'say "a\\b"\nc', type: 'counter' } as const
  expect(headOf(counter, 'text')).toBe('# HELP a_total say "a\\\\b"\\nc\n# TYPE a_total counter\n')
  expect(headOf(counter, 'openmetrics')).toBe('# HELP a say \\"a\\\\b\\"\\nc\n# TYPE a counter\n')
})

it('samples have labels of their own beside those of the series, and none of what is not known', () => {
  const family: Family<number> = {
    name: 'a',
    help: 'b',
    type: 'counter',
    samples(value, add) {
      add(undefined)
      add(value)
      add(Number.POSITIVE_INFINITY, 'x="1"')
    },
  }
  expect(linesOf(family, 1)).toBe('a_total 1\na_total{x="1"} +Inf\n')
  expect(linesOf(family, 1, 'y="2"')).toBe('a_total{y="2"} 1\na_total{y="2",x="1"} +Inf\n')
  const nothing = { ...family, samples: () => {} }
  expect(familyText(nothing, 1, 'text')).toBe('')
  expect([seconds(1.1), seconds(undefined), seconds(0.0000001)]).toEqual([0.0011, undefined, 0])
})

it.each<[string | undefined, 'text' | 'openmetrics']>([
  [undefined, 'text'],
  ['', 'text'],
  ['*/*', 'text'],
  ['text/html,*/*;q=0.1', 'text'],
  [
    'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    'openmetrics',
  ],
  ['application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5', 'text'],
  ['application/openmetrics-text; version=1.0.0; q=0.2, text/plain; q=0.9', 'text'],
  ['application/openmetrics-text;q=nonsense', 'text'],
  ['application/openmetrics-text', 'openmetrics'],
  [`${','.repeat(100_000)}application/openmetrics-text`, 'text'],
])('Accept: %s is answered in %s', (accept, dialect) => {
  expect(dialectFor(accept)).toBe(dialect)
})

describe('the metrics of a probe', () => {
  const told = (result: Partial<Probed> & Pick<Probed, 'status'>, families = resultFamilies) => {
    const subject = { result: { attempts: 1, startedAt: 0, ...result }, durationMs: 12 }
    return families
      .map((family) => linesOf(family, subject))
      .join('')
      .split('\n')
      .filter(Boolean)
  }

  it('that is up, with TLS and steps', () => {
    const certificate = { subject: 'CN=a"', issuer: 'CN=b', validTo: 2_000_000_000_500, fingerprint256: 'AB:0C' }
    const times = { nameMs: 1, connectMs: 2, tlsMs: 3, stepsMs: 4 }
    expect(told({ status: 'up', address: '::1', certificate, ...times })).toEqual([
      'probe_success 1',
      'cancelpoint_probe_unknown 0',
      'probe_duration_seconds 0.012',
      'probe_dns_lookup_time_seconds 0.001',
      'cancelpoint_probe_phase_duration_seconds{phase="connect"} 0.002',
      'cancelpoint_probe_phase_duration_seconds{phase="tls"} 0.003',
      'cancelpoint_probe_phase_duration_seconds{phase="steps"} 0.004',
      'probe_ip_protocol 6',
      'probe_ssl_earliest_cert_expiry 2000000000.5',
      'probe_ssl_last_chain_info{fingerprint_sha256="ab0c",issuer="CN=b",subject="CN=a\\""} 1',
      'probe_failed_due_to_regex 0',
    ])
  })

  it('that is down or unknown', () => {
    const down = { status: 'down', code: 'ERR_EXPECT', errnoClass: 'protocol', phase: 'expect', step: 1 } as const
    expect(told(down)).toEqual([
      'probe_success 0',
      'cancelpoint_probe_unknown 0',
      'probe_duration_seconds 0.012',
      'probe_failed_due_to_regex 1',
      'cancelpoint_probe_failure_info{code="ERR_EXPECT",errno_class="protocol",phase="expect"} 1',
    ])
    expect(told({ status: 'unknown' })).not.toContain('probe_success 0')
    expect(told({ status: 'unknown' }, probeFamilies)).toContain('probe_success 0')
    expect(told({ status: 'unknown' }, probeFamilies)).toContain('cancelpoint_probe_unknown 1')
  })

  it('last as long as their phases, or until their end where they failed', () => {
    const result = { attempts: 1, startedAt: 100, connectMs: 5, stepsMs: 2 }
    expect(durationMsOf({ ...result, status: 'up' }, 200)).toBe(7)
    expect(durationMsOf({ ...result, status: 'down' }, 200)).toBe(100)
    expect(durationMsOf({ ...result, status: 'down', attempts: 0 }, 200)).toBe(7)
  })
})
