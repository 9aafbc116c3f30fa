/** The driver of races by itself, over attempts that end when the test says so: orders of events that no kernel gives on demand. */
import { describe, expect, it } from 'vitest'
import type { Outcome } from '#internal/bridge/registry'
import { Cancellation } from '#internal/call/cancellation'
import { type Course, race } from '#internal/call/racing'
import type { InetEndpoint } from '#internal/core/endpoint'
import { ConnectError } from '#internal/errors/connect-error'

const at = (last: number): InetEndpoint => ({ family: 'inet', address: `127.0.0.${last}`, port: 80 })
const [first, second] = [at(1), at(2)]
const times = { startedAt: 0, waitedMs: 0, durationMs: 0 }
const refused: Outcome = { state: 'failed', errno: -111, call: 'connect', byDeadline: false, ...times }
const cancelled: Outcome = { state: 'cancelled', ...times }

/** Two addresses; what happened, in order; and a hand on every attempt. */
class Script {
  readonly log: string[] = []
  readonly cancellation = new Cancellation()
  readonly #done = new Map<string, (outcome: Outcome) => void>()
  readonly settled: Promise<void>

  constructor(course: Partial<Course> = {}) {
    const log = (line: string) => this.log.push(line)
    this.settled = race(
      {
        families: ['inet6', 'inet'],
        lastGood: undefined,
        async names(told) {
          told(['inet6', 'inet'], [first, second])
        },
        bar: () => undefined,
        start: ({ address }, started, done) => {
          log(`start ${address}`)
          started()
          this.#done.set(address, done)
          return { cancel: () => log(`cancel ${address}`) }
        },
        failed: (why) => log(why instanceof ConnectError ? `failed ${why.code}` : `failed ${why.endpoint.address}`),
        ...course,
      },
      this.cancellation,
    ).then(
      (winner) => void log(`resolved ${winner?.endpoint.address} ${winner?.passedOthers}`),
      (error) => void log(`rejected ${error.message}`),
    )
  }

  end({ address }: InetEndpoint, outcome: Outcome): void {
    this.#done.get(address)!(outcome)
  }

  connects({ address }: InetEndpoint): void {
    const close = () => void this.log.push(`close ${address}`)
    this.end(at(Number(address.at(-1))), {
      state: 'connected',
      claim: { fd: 0, handOver() {}, disown: () => 0, close },
      polled: 0,
      ...times,
    })
  }

  /** The next address has had its attempt delay. */
  async untilStarted({ address }: InetEndpoint): Promise<void> {
    await expect.poll(() => this.log).toContain(`start ${address}`)
  }
}

describe('the driver of a race', () => {
  it('settles after its losers: cancelled ones', async () => {
    const script = new Script()
    await script.untilStarted(second)
    script.connects(second)
    await Promise.resolve()
    script.log.push('still here')
    script.end(first, cancelled)
    await script.settled
    expect(script.log).toEqual([
      'start 127.0.0.1',
      'start 127.0.0.2',
      'cancel 127.0.0.1',
      'still here',
      'resolved 127.0.0.2 true',
    ])
  })

  it('and closes one that connected all the same', async () => {
    const script = new Script()
    await script.untilStarted(second)
    script.connects(second)
    script.connects(first)
    await script.settled
    expect(script.log.slice(2)).toEqual(['cancel 127.0.0.1', 'close 127.0.0.1', 'resolved 127.0.0.2 true'])
  })

  it('closes the winner too when the call is cancelled while a loser lets go', async () => {
    const script = new Script()
    await script.untilStarted(second)
    script.connects(first)
    script.cancellation.request(() => new Error('enough'))
    script.end(second, cancelled)
    await script.settled
    expect(script.log.slice(2)).toEqual(['cancel 127.0.0.2', 'close 127.0.0.1', 'rejected enough'])
  })

  it('when cancelled waits for all under way, closes what connects, and starts nothing', async () => {
    const script = new Script()
    await script.untilStarted(second)
    script.cancellation.request(() => new Error('enough'))
    script.end(first, refused)
    script.connects(second)
    await script.settled
    expect(script.log.slice(2)).toEqual(['cancel 127.0.0.1', 'cancel 127.0.0.2', 'close 127.0.0.2', 'rejected enough'])
  })

  it('resolves to nobody once all have failed', async () => {
    const script = new Script()
    script.end(first, refused)
    script.end(second, refused)
    await script.settled
    expect(script.log).toEqual([
      'start 127.0.0.1',
      'failed 127.0.0.1',
      'start 127.0.0.2',
      'failed 127.0.0.2',
      'resolved undefined undefined',
    ])
  })

  it('passes over what is barred', async () => {
    const barred = new ConnectError({ code: 'ERR_BLOCKED', syscall: 'connect', errnoClass: 'denied' })
    const script = new Script({ bar: (endpoint) => (endpoint === first ? barred : undefined) })
    script.connects(second)
    await script.settled
    expect(script.log).toEqual(['failed ERR_BLOCKED', 'start 127.0.0.2', 'resolved 127.0.0.2 false'])
  })

  it('takes names that have no address for a loss, and any other error of theirs for its own', async () => {
    const unknown = new ConnectError({ code: 'ENOTFOUND', syscall: 'queryA', errnoClass: 'name' })
    const lost = new Script({ names: () => Promise.reject(unknown) })
    await lost.settled
    expect(lost.log).toEqual(['failed ENOTFOUND', 'resolved undefined undefined'])
    const broken = new Script({ names: () => Promise.reject(new TypeError('broken')) })
    await broken.settled
    expect(broken.log).toEqual(['rejected broken'])
  })

  it('ends by an attempt that cannot even be asked for, once the others have let go', async () => {
    let end: ((outcome: Outcome) => void) | undefined
    const script: Script = new Script({
      start({ address }, started, done) {
        if (address === second.address) throw new TypeError('broken')
        started()
        end = done
        return { cancel: () => script.log.push('cancel') }
      },
    })
    await expect.poll(() => script.log).toEqual(['cancel'])
    end!(cancelled)
    await script.settled
    expect(script.log).toEqual(['cancel', 'rejected broken'])
  })

  it('cancels what was being started when the race was cancelled', async () => {
    const script: Script = new Script({
      async names(told) {
        await Promise.resolve()
        told(['inet6', 'inet'], [first, second])
      },
      start: ({ address }) => {
        script.log.push(`start ${address}`)
        script.cancellation.request(() => new Error('asked for'))
        return { cancel: () => void script.log.push(`cancel ${address}`) }
      },
    })
    await expect.poll(() => script.log).toContain('cancel 127.0.0.1')
    await new Promise(setImmediate)
    expect(script.log).toEqual(['start 127.0.0.1', 'cancel 127.0.0.1'])
  })

  it('is told what a block list of the caller’s throws', async () => {
    const script = new Script({
      bar() {
        throw new Error('no list')
      },
    })
    await script.settled
    expect(script.log).toEqual(['rejected no list'])
  })
})
