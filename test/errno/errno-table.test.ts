/**
 * Every errno of connect, from a real kernel through the public API: each row is an errno and a recipe, each column a
 * way to meet it. A cell is the whole result, and what the process holds before and after.
 */
import { constants } from 'node:os'
import { ConnectionManager, errnos, ledger } from 'cancelpoint'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { nothingLeft } from '../support/counts.js'
import { lackingIpv6 } from '../support/sockets.mjs'
import { beyondRows, localPortRangeLack, whileInterrupted } from './beyond.js'
import { documentedRows } from './documented.js'
import { namespaceRows, seamRows } from './elsewhere.js'
import { askNamespace } from './namespace.js'
import { warmUp } from './observe.mjs'
import type { Row } from './row.js'

const lacking = { ipv6: lackingIpv6, localPortRange: localPortRangeLack() }

// Retries have tests of their own; here each errno is to come through.
const manager = new ConnectionManager({ retry: false, engine: 'blocking' })
const namespace = await askNamespace()
const rows: Row[] = [...rowsBy(manager), ...namespaceRows(namespace)]

/** The same by the other engine; a column of its own. */
const nonblockingManager = new ConnectionManager({ retry: false, engine: 'nonblocking' })
const nonblockingRows = rowsBy(nonblockingManager)

function rowsBy(by: ConnectionManager): Row[] {
  return [...documentedRows(by, lacking), ...beyondRows(by, lacking), ...seamRows(by)]
}

beforeAll(async () => {
  await warmUp(manager)
  await warmUp(nonblockingManager)
  // An AF_UNIX backlog that is full takes it to its lanes.
  await warmUp(nonblockingManager, 'blocking')
})

afterAll(async () => {
  await manager.close()
  await nonblockingManager.close()
  // Lanes of cancelpoint/posix end when they were idle for long enough.
  await vi.waitFor(() => expect(ledger()).toEqual(nothingLeft), { timeout: 20_000 })
})

const columns = [
  ['blocking', 'blocking', rows],
  ['nonblocking', 'nonblocking', rows],
  ['manager', 'manager', rows],
  ['manager, nonblocking engine', 'manager', nonblockingRows],
] as const

describe.each(columns)('%s', (_, column, rows) => {
  for (const { code, errnoClass, how, skip, [column]: cell } of rows) {
    if (typeof cell === 'string') continue
    const name = `${code} (${errnoClass}): ${how}`
    it.skipIf(skip !== undefined)(skip === undefined ? name : `${name} [skipped: ${skip}]`, async () => {
      const { result, before, after } = await cell.observe()
      const expected = { code, errnoClass, syscall: 'connect', ...cell.differs }
      expect(result).toEqual({ errno: numberOf(expected.code), ...expected })
      expect(after).toEqual(before)
    })
  }
})

/** Negative, as Node has it; by Node's own table. */
function numberOf(code: string): number {
  return -constants.errno[code as keyof typeof constants.errno]
}

describe('the table', () => {
  const manual =
    'EBADF ENOTSOCK EADDRNOTAVAIL EAFNOSUPPORT EISCONN ETIMEDOUT ECONNREFUSED ENETUNREACH EADDRINUSE EINPROGRESS EALREADY'
  const beyond = 'EHOSTUNREACH EACCES EPERM ENOENT EPROTOTYPE EINVAL EAGAIN EINTR EMFILE ECONNRESET'

  it.each([...manual.split(' '), ...beyond.split(' ')])('has a recipe for %s that injects nothing', (code) => {
    const natural = rows.filter((row) => row.code === code && !row.injected)
    expect(natural.length).toBeGreaterThan(0)
    expect(errnos.get(code)?.errno).toBe(numberOf(code))
  })

  it('says of every empty cell why it is', () => {
    for (const row of rows)
      for (const cell of [row.blocking, row.nonblocking, row.manager])
        if (typeof cell === 'string') expect(cell).toMatch(/\w+ \w+/)
  })
})

describe('a scope id', () => {
  const { scopeByNumber, scopeByName } = namespace.answers
  const refused = namespace.refused ?? scopeByNumber?.refused
  const note = refused === undefined ? '' : ` [skipped: ${refused}]`

  it.skipIf(refused !== undefined)(`reaches a link-local address, by number and by name${note}`, () => {
    expect(scopeByNumber).toMatchObject({
      blocking: { result: { code: 'connected' } },
      nonblocking: { result: { code: 'connected', first: 'EINPROGRESS' } },
      manager: { result: { code: 'connected' } },
    })
    expect(scopeByName).toMatchObject({ manager: { result: { code: 'connected' } } })
  })
})

describe('after EINTR', () => {
  it('TCP goes on connecting, AF_UNIX does not', async () => {
    const { inetAgain, unixAgain } = await whileInterrupted()
    expect(inetAgain.result).toMatchObject({ first: 'EINTR', code: 'EALREADY' })
    expect(unixAgain.result).toMatchObject({ first: 'EINTR', code: 'EAGAIN' })
  })
})
