/**
 * One probe's talk with its peer: it sends, expects and secures the connection, step by step, and ends with an error that says
 * which step failed and why. It owns the socket from the connect to the end.
 */
import type { Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { binding } from '../bridge/binding.js'
import { closeSocket } from '../bridge/descriptor.js'
import type { Call } from '../call/call.js'
import { performance } from '../core/clock.js'
import { advise, classOf } from '../core/errno.js'
import * as limits from '../core/limits.js'
import type { Phase } from '../core/verdict.js'
import { ConnectError, deadlineError } from '../errors/connect-error.js'
import type { CheckResult } from '../types.js'
import { secureProbe } from './certificate.js'
import { sayGoodbye } from './goodbye.js'
import { type Came, Inbox } from './inbox.js'
import { probeError } from './probe-error.js'
import { quoted } from './quoted.js'
import type { ExpectStep, SendStep, Step } from './script.js'
import type { TryTime } from './try-time.js'

/** What a probe has to tell besides its call. */
export type Spoken = Pick<CheckResult, 'certificate' | 'step' | 'stepsMs' | 'tlsMs'>

export class Conversation {
  readonly #call: Call
  readonly #spoken: Spoken
  readonly #fd: number
  readonly #plain: Socket
  readonly #time: TryTime
  #phase: Phase = 'tls'
  /** The time of the try was over, and this is what was waited for. */
  #late: ConnectError | undefined
  #secured: TLSSocket | undefined
  #inbox: Inbox | undefined
  /** The last expectation was of text, of which the rest of the line is a part. */
  #isText = false
  /** The peer was asked to end the connection once it has answered. */
  #peerEnds = false
  /** The last bytes that were sent were no line: then what answers them may be none either. */
  #sendsNoLines = false

  /** `socket`: connected, with the descriptor `fd`. */
  constructor(socket: Socket, fd: number, call: Call, spoken: Spoken, time: TryTime) {
    this.#plain = socket
    this.#fd = fd
    this.#call = call
    this.#spoken = spoken
    this.#time = time
    time.onExpiry(() => this.#cut())
  }

  /** @throws ConnectError where the time of the try is over. */
  throwIfLate(): void {
    if (this.#late) throw this.#late
  }

  /** @throws ConnectError that says which step failed; the call's own error once it is cancelled. */
  async follow(steps: readonly Step[], minDays: number | undefined): Promise<void> {
    for (const [index, step] of steps.entries()) {
      this.#spoken.step = index
      await this.#take(step, minDays)
    }
    delete this.#spoken.step
  }

  async secure(tls: ConnectionOptions, minDays: number | undefined): Promise<void> {
    const told = (certificate: CheckResult['certificate']) => Object.assign(this.#spoken, { certificate })
    this.#inbox?.detach()
    this.#inbox = undefined
    this.#phase = 'tls'
    const startedAt = performance.now()
    try {
      this.#secured = await secureProbe(this.#top, this.#call, { tls, minDays, told, time: this.#time })
    } catch (error) {
      throw this.#excused(error)
    } finally {
      this.#spoken.tlsMs = (this.#spoken.tlsMs ?? 0) + performance.now() - startedAt
    }
  }

  /** Ends it in the way that is asked for. What is decided about the target stands. */
  async end(close: 'reset' | 'fin'): Promise<void> {
    const top = this.#top
    this.#inbox?.detach()
    if (close === 'fin') await sayGoodbye(top, this.#peerEnds, this.#call.cancellation)
    // While neither is destroyed, the number is still this connection's. Node's own resetAndDestroy() knows no TLSSocket, and
    // on the socket below one it ends the process by a segmentation fault.
    else if (!this.#plain.destroyed && !top.destroyed) binding.setOption(this.#fd, 'linger', 0)
    await this.close()
  }

  /** Resolves once the descriptor is closed. */
  async close(): Promise<void> {
    this.#inbox?.detach()
    await closeSocket(this.#top)
    await closeSocket(this.#plain)
  }

  /** Ends what is under way, whatever it is. */
  #cut(): void {
    const { attempts, endpoint, hostname } = this.#call
    const progress = { phase: this.#phase, waitedMs: 0, attempts, endpoint, hostname, heard: this.#heard }
    this.#late = deadlineError(this.#time.timeoutMs, progress)
    this.#top.destroy()
    this.#plain.destroy()
  }

  get #top(): Socket {
    return this.#secured ?? this.#plain
  }

  async #take(step: Step, minDays: number | undefined): Promise<void> {
    if (step.kind === 'starttls') {
      await this.#refuseSmuggled()
      await this.secure(step.tls, minDays)
      return
    }
    const startedAt = performance.now()
    try {
      if (step.kind === 'send') await this.#send(step)
      else await this.#expect(step)
    } finally {
      this.#spoken.stepsMs = (this.#spoken.stepsMs ?? 0) + performance.now() - startedAt
    }
  }

  /** Resolves once the kernel has it. */
  async #send(step: SendStep): Promise<void> {
    const inbox = this.#reading('send')
    const { cancellation, target } = this.#call
    const bytes = step.bytes(target)
    this.#sendsNoLines = !bytes.includes(newline)
    const written = new Promise<void>((resolve, reject) => {
      // Node calls back without an error for a write that a reset has ended.
      this.#top.write(bytes, (error) => {
        const why = inbox.error ?? error
        if (why) reject(why)
        else resolve()
      })
    })
    try {
      await cancellation.race(written)
    } catch (error) {
      throw this.#failed(error, 'send')
    }
  }

  async #expect(step: ExpectStep): Promise<void> {
    const inbox = this.#reading('expect')
    try {
      const came = await inbox.until(step)
      this.#isText = step.isText
      this.#peerEnds = step.peerEnds === true
      if (came === 'yes') return
      throw this.#unexpected(came, step)
    } catch (error) {
      throw this.#failed(error, 'expect')
    }
  }

  /**
   * Bytes that the peer, or somebody between, sent in plain text beyond its answer would be read as if they had come by TLS. The
   * rest of the line that was expected belongs to the answer, and may come later than what was looked for in it.
   */
  async #refuseSmuggled(): Promise<void> {
    const inbox = this.#reading('expect')
    try {
      if (this.#isText && inbox.isWithinLine) await this.#readLine(inbox)
    } catch (error) {
      throw this.#failed(error, 'expect')
    }
    if (!inbox.isEmpty) throw this.#error('ERR_STARTTLS', 'read', 'tls')
  }

  /** A peer that says no more for a while speaks in no lines, and waits for us. */
  async #readLine(inbox: Inbox): Promise<void> {
    if (inbox.isEmpty && (this.#sendsNoLines || !(await inbox.says(this.#time.shareOf(limits.restOfLineMs))))) return
    const came = await inbox.until(restOfLine)
    if (came !== 'yes') throw this.#unexpected(came, { described: 'the end of its line' })
  }

  #reading(phase: 'send' | 'expect'): Inbox {
    const inbox = this.#inbox ?? new Inbox(this.#top, this.#call.cancellation)
    this.#inbox = inbox
    this.#phase = phase
    this.#call.startsStep(phase, () => this.#heard)
    return inbox
  }

  get #heard(): string {
    const held = this.#inbox?.held
    return held && held.length > 0 ? `it had sent ${quoted(held)}` : 'it had sent nothing'
  }

  #unexpected(came: Exclude<Came, 'yes'>, { described }: Pick<ExpectStep, 'described'>): unknown {
    const said = this.#inbox!.held.length > 0 ? `; ${this.#heard}` : ''
    const why = typeof came === 'object' ? came.refused : `${whyNot[came]} ${described}${said}`
    const error = this.#error('ERR_EXPECT', 'read', 'expect', `the peer ${why}`)
    return came === 'ended' ? this.#excused(error) : error
  }

  /** The error of a step, from what the socket says. */
  #failed(error: unknown, phase: 'send' | 'expect'): unknown {
    if (this.#call.cancellation.requested || error instanceof ConnectError) return error
    const { code = 'EPROTO', message } = error as NodeJS.ErrnoException
    const known = classOf(code, { call: phase === 'send' ? 'write' : 'read' })
    const isKnown = known !== 'unknown' && advise(code, known) !== undefined
    const detail = isKnown ? undefined : message
    return this.#excused(
      this.#error(code, phase === 'send' ? 'write' : 'read', phase, detail, isKnown ? known : 'protocol'),
    )
  }

  /** A peer that hung up while this process was held up may have lost its patience with us: that is not its fault. */
  #excused(error: unknown): unknown {
    const { deadline, cancellation } = this.#call
    if (cancellation.requested || !(error instanceof ConnectError)) return error
    const hungUp = ['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'ERR_EXPECT'].includes(error.code)
    const heldUpMs = Math.round(deadline.heldUpMs)
    if (!hungUp || heldUpMs < limits.heldUpExcusesMs) return error
    const { syscall, code } = error
    const { phase } = ConnectError.verdictOf(error)
    const detail = `the peer hung up after this process had been held up for ${heldUpMs} ms`
    return this.#error(code, syscall, phase, detail, 'local')
  }

  #error(
    code: string,
    syscall: string,
    phase: Phase,
    detail?: string,
    errnoClass: ConnectError['errnoClass'] = 'protocol',
  ) {
    return probeError(this.#call, { code, syscall, phase, errnoClass, detail })
  }
}

const newline = 10

const whyNot = {
  ended: 'closed the connection before it had sent',
  full: 'sent as much as may be read, without',
} as const

const restOfLine: Parameters<Inbox['until']>[0] = {
  judge: (bytes) => {
    const at = bytes.indexOf(newline)
    return at < 0 ? undefined : { end: at + 1 }
  },
  maxBytes: limits.expectBytes,
  isIncremental: true,
}
