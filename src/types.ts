/** The public shapes: what a caller passes in and gets back. No behaviour here. */
import type { BlockList } from 'node:net'
import type { ConnectionOptions } from 'node:tls'

import type { ErrnoClass } from './core/errno.js'

import type { State } from './core/health.js'
import type { RetryPolicy } from './core/retry.js'
import type { Target } from './core/target.js'
import type { Phase } from './core/verdict.js'

export type { State } from './core/health.js'
export type { RetryPolicy, RetryRule } from './core/retry.js'
export type { Target } from './core/target.js'
export type { Phase } from './core/verdict.js'

/** `auto` leaves the choice to the manager. */
export const engineNames = ['blocking', 'nonblocking'] as const
export type EngineName = (typeof engineNames)[number]

export interface ConnectOptions {
  /** Cancels the call; it rejects with an AbortError once everything it held is released. */
  signal?: AbortSignal | undefined
  /** The whole call: names, every attempt, TLS. Milliseconds, default 30,000. */
  timeoutMs?: number | undefined
  /** One connect(2), counted from the moment its engine starts it. Milliseconds, default 10,000 (check: 3,000). */
  attemptTimeoutMs?: number | undefined
  /** Of a name's addresses only those of this family: 4 or 6. Default: both. */
  family?: 4 | 6 | undefined
  /** What makes the attempts. Default `auto`, which is the nonblocking engine. */
  engine?: EngineName | 'auto' | undefined
  /** By errno class. For connect and open a small policy (3 tries) by default, for check none. */
  retry?: RetryPolicy | false | undefined
  /** Source address; without it the kernel chooses. Of a name, the addresses of its family alone are tried. */
  localAddress?: string | undefined
  /** Source port; 0 or absent lets the kernel choose. */
  localPort?: number | undefined
  /**
   * Judges what the kernel will reach: each address as itself and as every address that it stands for (0.0.0.0 and :: as
   * this machine; IPv4-mapped, NAT64, 6to4 and other forms as the IPv4 address in them). AF_UNIX is this machine: it is
   * barred by a list that bars 127.0.0.1 or ::1. A hit is a ConnectError, code ERR_BLOCKED, before any packet.
   */
  blockList?: BlockList | undefined
  /** Replaces the resolver. Must give numeric addresses. An error with code ENOTFOUND or EAI_AGAIN says that of the name. */
  lookup?: ((hostname: string, options: { signal: AbortSignal }) => Promise<string[]>) | undefined
  /** TLS on top: true, or options of tls.connect. SNI and the certificate's name are the target's. Default false. */
  tls?: boolean | ConnectionOptions | undefined
  /** TCP_NODELAY on the delivered socket. Default false. */
  noDelay?: boolean | undefined
  /** SO_KEEPALIVE on the delivered socket. Default false. */
  keepAlive?: boolean | undefined
  /** The delivered socket stays writable after its peer has ended. Default false. */
  allowHalfOpen?: boolean | undefined
}

/** Every ConnectOptions as a default, flat, and the manager's own limits. */
export interface ManagerOptions extends ConnectOptions {
  /** Attempts under way at once, at most, of each engine; the rest wait. Descriptors, ports and what the machine keeps up with allow fewer. */
  maxInFlight?: number | undefined
  /** Blocking attempts at once, each on a native thread of its own. Default `maxInFlight`, or 256. Idle threads end after two seconds. */
  lanes?: number | undefined
  /** Connects started a second, at most. Default: no limit. */
  rate?: number | undefined
  /** How long an answer of the name servers is kept, at most. Milliseconds, default 300,000; 0 keeps nothing. */
  nameCacheMs?: number | undefined
  /** Makes backoff repeatable. Default: random. */
  seed?: number | undefined
}

/**
 * `timeoutMs` bounds a target as a whole (name, connect, TLS, all tries), `tryTimeoutMs` one try, `attemptTimeoutMs` one connect(2). They run from when
 * the work on the target begins; what it waits for this machine (a place, a lane, a look-up) stops the clock.
 */
export interface CheckOptions extends ConnectOptions {
  /**
   * One try of a target that speaks (TLS, steps), from the start of its connect to its last word. What a retry may repeat. It ends
   * a handshake or a step; the connect of a try has `attemptTimeoutMs`. Milliseconds, default `timeoutMs`.
   */
  tryTimeoutMs?: number | undefined
  /** Targets in flight at once. Default 1,024. */
  concurrency?: number | undefined
  /** Connects started a second, at most. Default: no limit. */
  ratePerSecond?: number | undefined
  /** Targets of one address or name in flight at once. Default: no limit. */
  perHost?: number | undefined
  /** TCP: reset before the handshake's last ACK, so that listeners never accept. Not with `tls`. Default false. */
  halfOpen?: boolean | undefined
  /** One result for each address of a name. Default false. */
  allAddresses?: boolean | undefined
  /**
   * How a connection is ended. `reset` leaves no TIME_WAIT behind, but some servers log, count or ban it, and a server without
   * a handler for the error ends. `fin` is polite, and holds a local port for a minute. Choose `fin` where a server takes
   * offence, `reset` where very many connects go to few endpoints. A half-open probe has no connection to end: it resets.
   * Default: `reset` for a bare connect, `fin` after TLS, which says close_notify first.
   */
  close?: 'reset' | 'fin' | undefined
  /** What a probe says and expects after the connect (and TLS), in order. Default: nothing. */
  steps?: readonly ProbeStep[] | undefined
  /** A certificate with fewer days left makes its target `down`: ERR_CERT_EXPIRING. Default: every valid one will do. It needs TLS beside it. */
  minCertificateDays?: number | undefined
}

/** A target with what is done to it: what it gives goes before the options of the check. */
export interface CheckTarget {
  target: Target
  /** Carried through to its results. */
  labels?: Readonly<Record<string, string>> | undefined
  /** As in CheckOptions. */
  steps?: readonly ProbeStep[] | undefined
  /** As in CheckOptions. */
  tls?: boolean | ConnectionOptions | undefined
  /** As in CheckOptions. */
  timeoutMs?: number | undefined
  /** As in CheckOptions. */
  minCertificateDays?: number | undefined
}

/** What a probe says and what it waits for, after the connect (and TLS). */
export type ProbeStep =
  /** A string is sent as UTF-8. */
  | { send: string | Uint8Array }
  /**
   * Reads until it has come: a string or bytes anywhere in what was read, or a pattern that matches it. Of one step at most
   * `maxBytes` are read, 4,096 by default. A pattern takes linear time; look-around and back-references are a TypeError.
   */
  | { expect: string | RegExp | Uint8Array; maxBytes?: number | undefined }
  /** A TLS handshake on the open connection. */
  | { starttls: true | ConnectionOptions }

/** One result a target. */
export interface CheckResult {
  /** As given. */
  target: string
  /** What took the connect, or was tried last. */
  address?: string
  /** The port of `address`. */
  port?: number
  /** The same for AF_UNIX. */
  path?: string
  /** A timeout is `down`; `unknown` is a reason that says nothing about the target. */
  status: 'up' | 'down' | 'unknown'
  /** Of the last attempt, where the target is not up. */
  errnoClass?: ErrnoClass
  /** Of the same attempt, such as `ECONNREFUSED`. */
  code?: string
  /** The part of the check that ended it, where the target is not up. */
  phase?: Phase
  /** Of `steps` the one that ended it, counted from 0. */
  step?: number
  /** One sentence for people. */
  reason?: string
  /** connect(2) of the address that took it. Milliseconds, like the others. */
  connectMs?: number
  /** Until the name's first address was known. */
  nameMs?: number
  /** The TLS handshakes, of STARTTLS too; one that failed is counted. */
  tlsMs?: number
  /** The other steps. */
  stepsMs?: number
  /** connect(2) calls made for it. */
  attempts: number
  /** Milliseconds since the epoch. */
  startedAt: number
  /** Of the peer, where TLS was spoken. */
  certificate?: CertificateRecord
  /** Those of the target, where its source gave some. */
  labels?: Readonly<Record<string, string>>
}

export interface CertificateRecord {
  /** As RFC 4514 would write it, the common name first: `CN=db.internal, O=Example`. */
  subject: string
  issuer: string
  /** Milliseconds since the epoch. */
  validTo: number
  /** Whole days, rounded down; negative once it has expired. */
  daysLeft: number
  /** `AB:CD:…`. */
  fingerprint256: string
}

/** One connect(2), as told by a ConnectError. */
export interface AttemptRecord {
  /** `127.0.0.1:80`, `[::1]:80`, `unix:/path`. */
  endpoint: string
  /** The engine that was asked. A full AF_UNIX backlog is waited for on a lane with either engine. */
  engine: EngineName
  /** Milliseconds since the epoch. */
  startedAt: number
  /** Of connect(2), on the monotonic clock. */
  durationMs: number
  /** Where it failed; `ABORT_ERR` where it was cancelled. */
  code?: string
  /** Where it failed. */
  errnoClass?: ErrnoClass
}

/** A target that is watched, with what is done to it. */
export interface WatchTarget extends CheckTarget {
  /** As in WatchOptions. */
  intervalMs?: number | undefined
}

export interface WatchOptions extends CheckOptions {
  /** From the start of one check of a target to that of the next. Milliseconds, default 10,000. */
  intervalMs?: number | undefined
  /** The same while a change is under way. Default: intervalMs. */
  fastIntervalMs?: number | undefined
  /** The same while the target is down. Default: intervalMs. */
  downIntervalMs?: number | undefined
  /** Results in a row that say up, until a target that was down is up. Default 2. */
  rise?: number | undefined
  /** Results in a row that say down, until a target that was up is down. Default 3. */
  fall?: number | undefined
  /** Intervals are longer or shorter by up to this share of them, from 0 to 0.5. Default 0.03. */
  jitter?: number | undefined
  /** While none of these is up, what is not up is unknown: it is this machine's network that is down. Default: none. */
  canaries?: Target[] | undefined
  /** What an earlier watch knew: its targets begin with these states. Default: nothing is known. */
  states?: Iterable<Pick<TargetHealth, 'target' | 'labels' | 'state' | 'since'>> | undefined
}

/** A change of a target's state. */
export interface HealthChange {
  /** As given. */
  target: string
  labels?: Readonly<Record<string, string>>
  from: State
  to: State
  /** Milliseconds since the epoch, like `since`. */
  at: number
  /** When the state began that has ended. */
  since: number
  /** Results in a row that made the change. */
  results: number
  /** The last of them. */
  last: CheckResult
}

export interface TargetHealth {
  /** As given. */
  target: string
  labels?: Readonly<Record<string, string>>
  state: State
  /** When the state began. Milliseconds since the epoch. */
  since: number
  /** Results in a row like the last one, unknown ones left out. */
  inARow: number
  /** Absent before the first. */
  last?: CheckResult
  /** How often it was due and not checked, because its last check was still under way, or this process was late by a whole interval. */
  skipped: number
}

export interface WatchSummary {
  /** Targets by their state; canaries are not among them. */
  up: number
  down: number
  unknown: number
  /** How long after they were due checks of the last minute started. Milliseconds. */
  latenessMs: { p50: number; p99: number; max: number }
  /** No state changes now: this process or its machine is in no state to judge. */
  frozen: boolean
  /** Why, as a clause. */
  frozenWhy?: string
  /** Changes that nobody took in time, and that are gone. */
  lostChanges: number
  /** How often targets were due and not checked, those that have left included. */
  skipped: number
}

export interface ManagerStats {
  /** Calls that have not settled, targets of checks among them. */
  inFlight: number
  /** Attempts of theirs that wait for their turn. */
  waiting: number
  /** Calls that gave their caller what was asked for. */
  delivered: number
  /** Calls that failed. */
  failed: number
  /** Calls that were cancelled. */
  cancelled: number
  /** Tries after a call's first. */
  retries: number
  /** Attempts repeated because this machine had failed. */
  requeues: number
  /** Each engine's own. */
  engines: Record<EngineName, EngineStats>
}

export interface EngineStats {
  /** Attempts handed to native code and not settled. */
  inFlight: number
  /** Attempts that wait for a lane, or for others of the engine to end. */
  queued: number
  /** Attempts that may be with native code at once, at most. */
  limit: number
  /** Attempts that may be under way at once, as things stand: grows up to what the limit and the machine allow. */
  window: number
}

/** What the process owns, counted in native code. */
export interface Ledger {
  /** Owned by a lane, the registry or a `Descriptor`. */
  descriptors: number
  /** Address buffers. */
  buffers: number
  /** Threads started and not yet joined. */
  lanes: number
  /** Attempts reserved and not yet settled. */
  attempts: number
}
