/** The public shapes: what a caller passes in and gets back. No behaviour here. */
import type { BlockList } from 'node:net'
import type { ConnectionOptions } from 'node:tls'

import type { ErrnoClass } from './core/errno.js'

/**
 * What a person writes. Strings: `host:port`, `tcp://host:port`, `1.2.3.4:80`, `[::1]:80`, `unix:/path`,
 * `unix:@abstract`. A path that starts with `@` or NUL is in Linux's abstract namespace.
 */
export type Target = string | { host: string; port: number } | { path: string }

/** `auto` leaves the choice to the manager. */
export type EngineName = 'blocking'

export interface ConnectOptions {
  /** Cancels the call; it rejects with an AbortError once everything it held is released. */
  signal?: AbortSignal | undefined
  /** The whole call: names, every attempt, TLS. Milliseconds, default 30,000. */
  timeoutMs?: number | undefined
  /** One connect(2), counted from the moment its lane starts it. Milliseconds, default 10,000 (check: 3,000). */
  attemptTimeoutMs?: number | undefined
  engine?: EngineName | 'auto' | undefined
  /** Source address; without it the kernel chooses. */
  localAddress?: string | undefined
  /** Source port; 0 or absent lets the kernel choose. */
  localPort?: number | undefined
  /** Applied to resolved addresses, IPv4-mapped ones unmapped. A hit is a ConnectError, code ERR_BLOCKED. */
  blockList?: BlockList | undefined
  /** Replaces the resolver. Must give numeric addresses. */
  lookup?: ((hostname: string, options: { signal: AbortSignal }) => Promise<string[]>) | undefined
  tls?: boolean | ConnectionOptions | undefined
  noDelay?: boolean | undefined
  keepAlive?: boolean | undefined
  allowHalfOpen?: boolean | undefined
}

/** Every ConnectOptions as a default, flat, and the manager's own limits. */
export interface ManagerOptions extends ConnectOptions {
  /** Calls that may hold a descriptor at once; the rest wait. */
  maxInFlight?: number | undefined
  /** Native threads at most. */
  lanes?: number | undefined
}

export interface CheckOptions extends ConnectOptions {
  /** Targets in flight at once. */
  concurrency?: number | undefined
}

/** One result a target. */
export interface CheckResult {
  /** As given. */
  target: string
  address?: string
  port?: number
  path?: string
  /** A timeout is `down`; `unknown` is a reason that says nothing about the target. */
  status: 'up' | 'down' | 'unknown'
  /** Of the last attempt, where the target is not up. */
  errnoClass?: ErrnoClass
  code?: string
  /** One sentence for people. */
  reason?: string
  connectMs?: number
  nameMs?: number
  attempts: number
  /** Milliseconds since the epoch. */
  startedAt: number
}

/** One connect(2), as told by a ConnectError. */
export interface AttemptRecord {
  endpoint: string
  engine: EngineName
  /** Milliseconds since the epoch. */
  startedAt: number
  durationMs: number
  code?: string
  errnoClass?: ErrnoClass
}

export interface ManagerStats {
  /** Calls that hold or wait for something, by stage. */
  inFlight: number
  waiting: number
  delivered: number
  failed: number
  cancelled: number
  engines: Record<EngineName, EngineStats>
}

export interface EngineStats {
  /** Attempts handed to native code and not settled. */
  inFlight: number
  /** Attempts that wait for a lane. */
  queued: number
  limit: number
}

/** What the process owns, counted in native code. */
export interface Ledger {
  descriptors: number
  buffers: number
  lanes: number
  attempts: number
}
