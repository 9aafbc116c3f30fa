import { constants } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { ConnectError, ConnectionManager, type ConnectOptions, ledger } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { closeSocket } from '#internal/bridge/descriptor'
import { held, nothingLeft, threads } from '../support/counts.js'
import { errnosOf } from '../support/man-pages.js'
import { countCalls } from '../support/moments.js'
import { inet } from '../support/sockets.mjs'
import { portOf, useStations } from '../support/stations.js'
import { engines, warmManager } from '../support/warm-up.js'

const targets = useStations()

describe.each(engines)('%s engine', (engine) => {
  const full = process.env.CANCELPOINT_FULL === '1'
  let manager: ConnectionManager

  beforeAll(async () => {
    manager = await warmManager(targets.accept, { engine, lanes: 4 })
    await posixLife()
  })
  afterEach(() => binding.clearFaults())
  afterAll(() => manager.close())

  /** Not a speed limit: a scenario that takes so long hangs. Patience with this machine ends before. */
  const patienceMs = 15_000

  interface Fault {
    call: string
    errno: string
  }

  /** What a scenario comes to: 'as it should', or what else. It throws what its calls throw. */
  type Scenario = (fault?: Fault) => Promise<unknown>

  /** Undefined for an error that tells the fault as it was. */
  function judge(error: unknown, fault: Fault): string | undefined {
    if (!(error instanceof ConnectError)) return `${String(error)}: no ConnectError`
    const { syscall, code, timedOutBy, message } = error
    const { call, errno } = fault
    if (syscall === call && code === errno) return undefined
    if (syscall === 'connect' && code === aliasOf(fault)) return undefined
    // Of a descriptor that is not open connect says this, whichever call found out.
    if (syscall === 'connect' && code === 'EBADF' && errno === 'EBADF') return undefined
    if (engine === 'blocking') {
      if (call === 'pthread_create' && code === 'ERR_POOL_FAILED' && message.includes(errno)) return undefined
      // What goes on after each interruption ends by its deadline, if by nothing else.
      if (call === 'connect' && errno === 'EINTR' && timedOutBy === 'deadline') return undefined
    }
    return `${message} (${syscall} ${code})`
  }

  /** What connect is said to have failed with, where that is not the errno that was injected. */
  function aliasOf({ call, errno }: Fault): string | undefined {
    // getpeername's word for a peer that has reset since.
    if (call === 'getpeername' && errno === 'ENOTCONN') return 'ECONNRESET'
    // The handshake that was said to go on was never begun: writable, no error and no peer, as a descriptor is whose peer has
    // reset since. A lane is never told EINPROGRESS but by its own limit, and tells it as it is.
    if (engine === 'nonblocking' && call === 'connect' && errno === 'EINPROGRESS') return 'ECONNRESET'
    // A socket that is asked after its deadline, says that it is connected, and has no peer.
    if (call === 'connect' && errno === 'EISCONN') return 'ECONNRESET'
    return undefined
  }

  const options: ConnectOptions = { retry: false, attemptTimeoutMs: 2_000 }

  async function connectAndDestroy(): Promise<void> {
    await closeSocket(await manager.connect(targets.accept, options))
  }

  async function openAndClose(): Promise<void> {
    using descriptor = await manager.open(targets.accept, options)
    expect(posix.getpeername(descriptor.fd)).toMatchObject({ port: portOf(targets.accept) })
  }

  async function openFromAnAddress(): Promise<void> {
    ;(await manager.open(targets.accept, { ...options, localAddress: '127.0.0.2' })).close()
  }

  async function connectOverUnix(): Promise<void> {
    await failsWith('ETIMEDOUT', manager.open(targets.stall, { ...options, attemptTimeoutMs: 30 }))
  }

  /** What it fails with otherwise is thrown. */
  async function failsWith(expected: string, call: Promise<unknown>): Promise<void> {
    const code = await call.then(
      () => 'connected',
      (error) => {
        if (error.code !== expected) throw error
        return expected
      },
    )
    expect(code).toBe(expected)
  }

  /** The verdicts are the true ones or none; what the connect itself is told is what there is to say. */
  async function checkBy(by: ConnectionManager, fault?: Fault): Promise<void> {
    const truth = new Map([
      [targets.accept, 'up'],
      [targets.refuse, 'down'],
    ])
    const told = fault && [aliasOf(fault), fault.call === 'connect' && fault.errno]
    for await (const { target, status, code } of by.check(truth.keys(), options)) {
      if (status === truth.get(target) || status === 'unknown') continue
      if (status === 'down' && told?.includes(code)) continue
      throw new Error(`${target} is ${truth.get(target)}, and was called ${status} for ${code}`)
    }
  }

  const checkAll = (fault?: Fault) => checkBy(manager, fault)

  async function cancelInConnect(): Promise<void> {
    const controller = new AbortController()
    const call = manager.open(targets.hang, { ...options, signal: controller.signal })
    await Promise.race([call.catch(() => {}), untilOwned()])
    controller.abort()
    await failsWith('ABORT_ERR', call)
  }

  async function untilOwned(): Promise<undefined> {
    while (ledger().descriptors === 0) await wait(1)
    await wait(1)
  }

  async function wholeLife(fault?: Fault): Promise<void> {
    await using own = new ConnectionManager({ engine, ...options, lanes: 3 })
    // All settle before any is judged: otherwise nobody would catch what the check throws meanwhile.
    const opens = [1, 2, 3, 4].map(async () => (await own.open(targets.accept)).close())
    for (const each of await Promise.allSettled([...opens, checkBy(own, fault)]))
      if (each.status === 'rejected') throw each.reason
  }

  async function posixLife(): Promise<void> {
    const fd = posix.socket('inet')
    let open = true
    try {
      await posix.connect(fd, inet(portOf(targets.accept)))
      expect(await posix.poll(fd, 'writable')).toBe(true)
      posix.socketError(fd)
      posix.getpeername(fd)
      posix.getsockname(fd)
      open = false
      posix.close(fd)
    } finally {
      if (open) posix.close(fd)
    }
  }

  /** Everything a scenario holds must be back when it has ended; lanes that were cancelled are joined soon after. */
  const counts = () => ({ ...held(), descriptors: ledger().descriptors })

  async function withinPatience<T>(work: Promise<T>): Promise<T> {
    const patience = new AbortController()
    const hangs = wait(patienceMs, undefined, { signal: patience.signal }).then(
      () => {
        throw new Error(`hangs: nothing within ${patienceMs} ms`)
      },
      () => new Promise<never>(() => {}),
    )
    try {
      return await Promise.race([work, hangs])
    } finally {
      patience.abort()
    }
  }

  /** How often each call is made when nothing fails. */
  async function callsOf(scenario: Scenario): Promise<[call: string, count: number][]> {
    countCalls()
    await scenario()
    const seen = Object.keys(errnosOf).map((call): [string, number] => [call, binding.callsSeen(call)])
    binding.clearFaults()
    return seen.filter(([, count]) => count > 0)
  }

  /** Lets the nth call fail: what went wrong, or undefined. */
  async function wrongUnder(scenario: Scenario, fault: Fault, nth: number): Promise<string | undefined> {
    const before = counts()
    binding.clearFaults()
    binding.inject(fault.call, nth, constants.errno[fault.errno as keyof typeof constants.errno], 0)
    const wrong = await withinPatience(scenario(fault)).then(
      () => undefined,
      (error) => judge(error, fault),
    )
    binding.clearFaults()
    if (wrong) return wrong
    const after = counts()
    return JSON.stringify(after) === JSON.stringify(before)
      ? undefined
      : `left behind: ${JSON.stringify(before)} before, ${JSON.stringify(after)} after`
  }

  /** Each with the calls that both engines are there to make, and those of this one alone. */
  const scenarios: [string, Scenario, string, Record<typeof engine, string>][] = [
    [
      'connect and destroy',
      connectAndDestroy,
      'socket connect getsockopt getpeername getsockname malloc',
      { blocking: 'setsockopt fcntl', nonblocking: 'poll' },
    ],
    [
      'open and close',
      openAndClose,
      'socket connect getsockopt getpeername getsockname malloc close',
      { blocking: 'setsockopt fcntl', nonblocking: 'poll' },
    ],
    ['open from an address', openFromAnAddress, 'socket setsockopt bind connect', { blocking: '', nonblocking: '' }],
    [
      'a connect over AF_UNIX that ends by its deadline',
      connectOverUnix,
      // The nonblocking engine's goes on to a lane, whose limit is a socket option.
      'socket setsockopt connect close',
      { blocking: '', nonblocking: '' },
    ],
    [
      'check',
      checkAll,
      'socket connect setsockopt getsockopt getpeername getsockname close',
      { blocking: '', nonblocking: 'poll' },
    ],
    [
      'a cancel inside connect',
      cancelInConnect,
      'socket connect close',
      { blocking: 'setsockopt', nonblocking: 'poll epoll_ctl epoll_wait' },
    ],
    [
      'the documented function and its kin',
      posixLife,
      'socket connect poll fcntl close getsockopt getpeername getsockname',
      { blocking: '', nonblocking: '' },
    ],
  ]
  const aLife: (typeof scenarios)[number] = [
    'a manager’s life, its close included',
    wholeLife,
    'pthread_create getrlimit malloc',
    { blocking: '', nonblocking: 'epoll_create1 eventfd epoll_ctl epoll_wait' },
  ]

  async function failEachCall([, scenario, both, alone]: (typeof scenarios)[number]): Promise<void> {
    const meant = [both, alone[engine]].flatMap((calls) => calls.split(' ').filter(Boolean))
    const calls = await callsOf(scenario)
    expect(calls.map(([call]) => call)).toEqual(expect.arrayContaining(meant))
    const wrong: string[] = []
    for (const [call, count] of calls) {
      // A manager a fault takes long, and the other scenarios meet the other calls.
      if (scenario === wholeLife && !full && !meant.includes(call)) continue
      for (const errno of errnosOf[call]!) {
        for (let nth = 1; nth <= count; nth += 1) {
          const told = await wrongUnder(scenario, { call, errno }, nth)
          if (told) wrong.push(`${call} ${nth} of ${count} ${errno}: ${told}`)
        }
      }
    }
    expect(wrong).toEqual([])
    await scenario()
  }

  describe('whichever call fails, with whatever its man page allows', () => {
    it.each(scenarios)('%s: nothing leaks, hangs or lies', { timeout: 300_000 }, (...scenario) =>
      failEachCall(scenario),
    )

    it(`${aLife[0]}: nothing leaks, hangs or lies`, { timeout: 300_000 }, async () => {
      // The first to use the reactors starts one, and the last ends them.
      await manager.close()
      await failEachCall(aLife)
    })
  })

  /** Of the calls in a manager's life. Local failures are waited out, so this takes seconds each. */
  const forGood = full
    ? Object.entries(errnosOf)
        .filter(([call]) => call !== 'bind' && call !== 'poll')
        .flatMap(([call, errnos]) => errnos.map((errno) => [call, errno] as const))
    : ([
        ['socket', 'EMFILE'],
        ['close', 'EIO'],
        ['getpeername', 'EBADF'],
        ['connect', 'EINTR'],
        ['pthread_create', 'EAGAIN'],
        ...(engine === 'nonblocking' ? ([['epoll_wait', 'EINTR']] as const) : []),
      ] as const)

  describe('a call that never works again', () => {
    it.each(forGood)('%s with %s: nothing leaks, hangs or lies', { timeout: 60_000 }, async (call, errno) => {
      expect(await wrongUnder(wholeLife, { call, errno }, 0)).toBe(undefined)
      await wholeLife()
    })

    it('poll with EINTR: it ends by its deadline', async () => {
      const fd = posix.socket('inet')
      try {
        await posix.connect(fd, inet(portOf(targets.accept)))
        binding.inject('poll', 0, constants.errno.EINTR, 0)
        expect(await posix.poll(fd, 'readable', { timeoutMs: 50 })).toBe(false)
      } finally {
        posix.close(fd)
      }
    })
  })

  describe('after all that', () => {
    it('the process has what it had before', async () => {
      await manager.close()
      await expect.poll(() => ({ ledger: ledger() }), { timeout: 10_000 }).toEqual({ ledger: nothingLeft })
      const before = { ...counts(), threads: threads() }
      manager = await warmManager(targets.accept, { engine })
      await manager.close()
      await expect.poll(() => ({ ...counts(), threads: threads() })).toEqual(before)
    })
  })
})
