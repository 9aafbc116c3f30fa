/** docs/check-result.schema.json says what CheckResult says: the compiler keeps this file in step with the type. */
import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { CheckResult, ErrnoClass, Phase } from 'cancelpoint'
import { describe, expect, it } from 'vitest'
import type { Place } from '#internal/cli/input/entry'

const text = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8')
const schema = JSON.parse(text('docs/check-result.schema.json'))

/** Every name of a type, and no other. */
type Names<T> = Record<keyof Required<T>, true>

const names: Names<CheckResult> = {
  target: true,
  address: true,
  port: true,
  path: true,
  status: true,
  errnoClass: true,
  code: true,
  phase: true,
  step: true,
  reason: true,
  connectMs: true,
  nameMs: true,
  tlsMs: true,
  stepsMs: true,
  attempts: true,
  startedAt: true,
  certificate: true,
  labels: true,
}
const certificate: Names<NonNullable<CheckResult['certificate']>> = {
  subject: true,
  issuer: true,
  validTo: true,
  daysLeft: true,
  fingerprint256: true,
}
/** The names that may not be missing. */
type Needed<T> = { [K in keyof T]-?: undefined extends T[K] ? never : K }[keyof T]
const needed: Record<Needed<CheckResult>, true> = { target: true, status: true, attempts: true, startedAt: true }
const errnoClasses: Record<ErrnoClass, true> = {
  pending: true,
  refused: true,
  'timed-out': true,
  unreachable: true,
  local: true,
  busy: true,
  denied: true,
  name: true,
  protocol: true,
  misuse: true,
  unknown: true,
}
const phases: Record<Phase, true> = { name: true, connect: true, tls: true, send: true, expect: true }
const statuses: Record<CheckResult['status'], true> = { up: true, down: true, unknown: true }

const place: Names<Place> = { file: true, line: true, column: true }

const sorted = (values: object | readonly string[]) => (Array.isArray(values) ? values : Object.keys(values)).toSorted()

describe('the schema of a result', () => {
  it('has the names of the type, and where an input was bad its place', () => {
    expect(sorted(schema.properties)).toEqual(sorted({ ...names, ...place }))
    expect(sorted(schema.properties.certificate.properties)).toEqual(sorted(certificate))
  })

  it('requires what the type requires', () => {
    expect(sorted(schema.required)).toEqual(sorted(needed))
    expect(sorted(schema.properties.certificate.required)).toEqual(sorted(certificate))
  })

  it('has the words of the type', () => {
    expect(sorted(schema.properties.errnoClass.enum)).toEqual(sorted(errnoClasses))
    expect(sorted(schema.properties.phase.enum)).toEqual(sorted(phases))
    expect(sorted(schema.properties.status.enum)).toEqual(sorted(statuses))
  })

  const validate = new Ajv2020({ strict: true }).compile(schema)
  const up = { target: 'a:1', status: 'up', attempts: 1, startedAt: 1 }
  it.each([
    [true, up],
    [true, { ...up, status: 'down', code: 'ECONNREFUSED', errnoClass: 'refused', reason: 'No.' }],
    [false, { ...up, status: 'down', errnoClass: 'refused', reason: 'No.' }],
    [false, { ...up, code: 'ECONNREFUSED' }],
    [false, { ...up, colour: 'green' }],
    [false, { ...up, status: 'sideways' }],
    [false, { ...up, labels: { env: 1 } }],
    [false, { status: 'up', attempts: 1, startedAt: 1 }],
  ])('%s: %j', (valid, value) => {
    expect(validate(value)).toBe(valid)
  })

  it('is in the package', () => {
    expect(JSON.parse(text('package.json')).files).toContain('docs')
  })
})
