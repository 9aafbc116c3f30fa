/** Nothing from outside is written raw: every format, every place of a result that a stranger has a say in, every kind of text. */
import type { CheckResult } from 'cancelpoint'
import { describe, expect, it } from 'vitest'
import { type FormatName, formatNames } from '#internal/cli/formats/format'
import type { Problem } from '#internal/cli/input'
import { lineOf, problemLine } from '#internal/cli/report'
import {
  faultsOfJunit,
  faultsOfMetrics,
  lackingPromtool,
  lackingXmllint,
  recordsOfCsv,
  refused,
  resultOf,
  written,
} from '../support/formats.js'
import { hostileTexts, rawHostile } from '../support/hostile.js'

const certificate = { subject: 'CN=a', issuer: 'CN=b', validTo: 1, daysLeft: 1, fingerprint256: 'AB' }

/** Every part of a result that may hold text from outside: the input, DNS, a peer's TLS, its banner. */
const places: Readonly<Record<string, (text: string) => CheckResult>> = {
  target: (text) => refused(text),
  'the target of one that is up': (text) => resultOf(text),
  address: (text) => refused('a:1', { address: text, port: 1 }),
  path: (text) => refused('unix:/a', { path: text }),
  code: (text) => refused('a:1', { code: text }),
  errnoClass: (text) => refused('a:1', { errnoClass: text as 'refused' }),
  phase: (text) => refused('a:1', { phase: text as 'connect' }),
  reason: (text) => refused('a:1', { reason: text, code: 'ERR_ODD', errnoClass: 'unknown' }),
  'a label': (text) => refused('a:1', { labels: { a: text } }),
  'the name of a label': (text) => refused('a:1', { labels: { [text]: 'a' } }),
  'the group': (text) => refused('a:1', { labels: { group: text } }),
  subject: (text) => resultOf('a:1', { certificate: { ...certificate, subject: text } }),
  issuer: (text) => resultOf('a:1', { certificate: { ...certificate, issuer: text } }),
  fingerprint: (text) => resultOf('a:1', { certificate: { ...certificate, fingerprint256: text } }),
}

const problems = (text: string): Problem[] => [
  { where: `${text}:1`, message: text, words: [{ text, message: text }], file: text, line: 1 },
  { where: text, message: text, words: [], file: text },
]

/** As the format's own reader has it: no line, cell, element or sample more than there should be. */
const structure: Partial<Record<FormatName, (text: string, results: number) => void>> = {
  json: (text, results) => {
    const lines = text.trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line).target)).toHaveLength(results + 1)
  },
  csv: (text, results) => expect(recordsOfCsv(text)).toHaveLength(results + 1),
  junit: (text, results) => {
    expect(text.match(/<testcase /g)).toHaveLength(results + 3)
    if (!lackingXmllint) expect(faultsOfJunit(text)).toBe('')
  },
  nagios: (text) => {
    expect(text).toMatch(/^[^\n|]* \| up=\d+;;;0;\d+ [^\n|]*\n$/)
    expect(Buffer.byteLength(text)).toBeLessThan(1_024)
  },
  prometheus: (text) => {
    const sample = /^\w+(\{(\w+="(\\["\\n]|[^"\\])*",?)*\})? -?[\d.e+-]+$/
    for (const line of text.trimEnd().split('\n'))
      expect(line).toMatch(/^# /.test(line) ? /^# (HELP|TYPE) \w+ .+$/ : sample)
    if (!lackingPromtool) expect(faultsOfMetrics(text)).toBe('')
  },
}

describe.each(formatNames)('%s', (name) => {
  it.each(Object.keys(hostileTexts))('shows %s, wherever it stands', async (kind) => {
    const text = hostileTexts[kind]!
    const results = Object.values(places).map((place) => place(text))
    for (const verbose of [false, true]) {
      const around = { verbose, allAddresses: true }
      const given = { results, problems: problems(text), around, interruption: { cutOff: 1, notBegun: 1 } }
      const all = await written(name, given)
      const lines = name === 'csv' ? all.text.replaceAll('\r\n', '\n') : all.text
      expect(lines).not.toMatch(rawHostile)
      expect(all.notes.join('')).not.toMatch(rawHostile)
      structure[name]?.(all.text, results.length)
    }
  })

  it.each(Object.keys(places))('and shows it where it is the only one: %s', async (place) => {
    for (const text of Object.values(hostileTexts)) {
      const all = await written(name, { results: [places[place]!(text)] })
      expect(name === 'csv' ? all.text.replaceAll('\r\n', '\n') : all.text).not.toMatch(rawHostile)
    }
  })
})

describe('lines on standard error', () => {
  it.each(Object.entries(hostileTexts))('show %s', (_, text) => {
    const lines = [
      ...Object.values(places).map((place) => lineOf(place(text))),
      ...problems(text).map((problem) => problemLine(problem)),
    ]
    for (const line of lines) {
      expect(line).not.toMatch(rawHostile)
      expect(line).not.toContain('\n')
    }
  })
})

describe('JSON', () => {
  it('reads back as what it was', async () => {
    for (const text of Object.values(hostileTexts)) {
      const result = refused(text, { labels: { [text]: text }, reason: text })
      const { text: line } = await written('json', { results: [result] })
      expect(JSON.parse(line)).toEqual(result)
    }
  })
})
