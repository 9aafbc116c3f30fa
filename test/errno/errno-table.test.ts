/**
 * Every errno of connect, from a real kernel through the public API: each row is an errno and a recipe, each column a
 * way to meet it: the documented function on a descriptor of either mode, and a manager of either engine, which are held
 * to the same. A cell is the whole result, and what the process holds before and after.
 */
import { constants } from 'node:os'
import { errnos, ledger } from 'cancelpoint'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { nothingLeft } from '../support/counts.js'
import { lackingIpv6 } from '../support/sockets.mjs'
import { beyondRows, localPortRangeLack, whileInterrupted, withFewDescriptors } from './beyond.js'
import { documentedRows } from './documented.js'
import { namespaceRows, seamRows } from './elsewhere.js'
import { askNamespace } from './namespace.js'
import { closeManagers, openManagers } from './observe.mjs'
import type { Row } from './row.js'

const lacking = { ipv6: lackingIpv6, localPortRange: localPortRangeLack() }

// Children wait more than they work, so they run beside each other. What goes wrong in one is its rows' to tell.
for (const ask of [whileInterrupted, withFewDescriptors]) ask().catch(() => {})
const namespace = await askNamespace()
const managers = await openManagers()
const rows: Row[] = [
  ...documentedRows(managers, lacking),
  ...beyondRows(managers, lacking),
  ...seamRows(managers),
  ...namespaceRows(namespace),
]

afterAll(async () => {
  await closeManagers(managers)
  // Lanes of cancelpoint/posix end when they were idle for long enough.
  await vi.waitFor(() => expect(ledger()).toEqual(nothingLeft), { timeout: 20_000 })
})

const columns = [
  ['blocking', 'blocking', 'blocking'],
  ['nonblocking', 'nonblocking', 'nonblocking'],
  ['manager, blocking engine', 'manager', 'blocking'],
  ['manager, nonblocking engine', 'manager', 'nonblocking'],
] as const

describe.each(columns)('%s', (_, column, engine) => {
  for (const { code, errnoClass, how, skip, [column]: cell } of rows) {
    if (typeof cell === 'string') continue
    const name = `${code} (${errnoClass}): ${how}`
    it.skipIf(skip !== undefined)(skip === undefined ? name : `${name} [skipped: ${skip}]`, async () => {
      const { result, before, after } = await cell.observe(engine)
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

  const connected = { result: { code: 'connected' } }
  const byBoth = { blocking: connected, nonblocking: connected }

  it.skipIf(refused !== undefined)(`reaches a link-local address, by number and by name${note}`, () => {
    expect(scopeByNumber).toMatchObject({
      blocking: connected,
      nonblocking: { result: { code: 'connected', first: 'EINPROGRESS' } },
      manager: byBoth,
    })
    expect(scopeByName).toMatchObject({ manager: byBoth })
  })
})

describe('after EINTR', () => {
  it('TCP goes on connecting, AF_UNIX does not', async () => {
    const { inetAgain, unixAgain } = await whileInterrupted()
    expect(inetAgain.result).toMatchObject({ first: 'EINTR', code: 'EALREADY' })
    expect(unixAgain.result).toMatchObject({ first: 'EINTR', code: 'EAGAIN' })
  })
})
