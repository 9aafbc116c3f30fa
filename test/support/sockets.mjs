// @ts-check
/**
 * Sockets on loopback for tests, all closed by one call. Plain JavaScript, because child processes run it too: see
 * test/errno.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import * as posix from 'cancelpoint/posix'
import { binding } from '#internal/bridge/binding'

/**
 * @typedef {'inet' | 'inet6' | 'unix'} Domain
 * @typedef {import('cancelpoint/posix').SocketAddress} SocketAddress
 * @typedef {{ family: 'inet' | 'inet6', address: string, port: number }} InetAddress
 */

/** @type {(port: number, address?: string) => InetAddress} */
export const inet = (port, address = '127.0.0.1') => ({ family: 'inet', address, port })
/** @type {(port: number, address?: string) => InetAddress} */
export const inet6 = (port, address = '::1') => ({ family: 'inet6', address, port })
/** @type {(path: string) => { family: 'unix', path: string }} */
export const unix = (path) => ({ family: 'unix', path })

const hasIpv6 = networkInterfaces().lo?.some(({ address }) => address === '::1')
/** Why tests over IPv6 are skipped here, or undefined. */
export const lackingIpv6 = hasIpv6 ? undefined : 'no ::1 here'

let names = 0
/** An abstract name that nobody else has. */
export const freshName = () => unix(`\0cancelpoint-test-${process.pid}-${names++}`)

/** @param {number} fd */
export function inetName(fd) {
  return /** @type {InetAddress} */ (posix.getsockname(fd))
}

export class Sockets {
  /** @type {(() => void)[]} */
  #endings = []

  /**
   * A descriptor that `close` closes, unless the test did.
   * @param {Domain} domain
   * @param {{ type?: 'stream' | 'dgram', nonblocking?: boolean }} [options]
   */
  open(domain, { type = 'stream', nonblocking = false } = {}) {
    const fd = posix.socket(domain, type)
    this.defer(() => posix.close(fd))
    if (nonblocking) posix.setNonblocking(fd, true)
    return fd
  }

  /**
   * One that has a name. Without an address: a free port of 127.0.0.1, of ::1, or a fresh abstract name.
   * @param {Domain} domain
   * @param {{ type?: 'stream' | 'dgram', address?: SocketAddress }} [options]
   */
  bound(domain, { type = 'stream', address } = {}) {
    const fd = this.open(domain, { type })
    posix.bind(fd, address ?? (domain === 'inet' ? inet(0) : domain === 'inet6' ? inet6(0) : freshName()))
    return fd
  }

  /**
   * One that listens, and accepts nothing: connections are complete once they stand in its queue.
   * @param {Domain} domain
   * @param {{ backlog?: number, address?: SocketAddress }} [options]
   */
  listener(domain, { backlog = 16, address } = {}) {
    const fd = this.bound(domain, { address })
    const result = binding.listen(fd, backlog)
    if (result < 0) throw new Error(`listen: errno ${-result}`)
    return fd
  }

  /**
   * The address of a listener whose queue is full: a blocking connect waits there.
   * @param {Domain} domain
   */
  async full(domain) {
    const address = posix.getsockname(this.listener(domain, { backlog: 0 }))
    await posix.connect(this.open(domain), address)
    return address
  }

  /**
   * The address of a port, or a name, that is held without listening on it: connects are refused.
   * @param {Domain} domain
   */
  refusing(domain) {
    return posix.getsockname(this.bound(domain))
  }

  /** A directory for socket files. */
  directory() {
    const path = mkdtempSync(join(tmpdir(), 'cancelpoint-test-'))
    this.defer(() => rmSync(path, { recursive: true }))
    return path
  }

  /** @param {() => void} ending */
  defer(ending) {
    this.#endings.push(ending)
  }

  /** Newest first. Closing what the test has closed is no error. */
  close() {
    for (const ending of this.#endings.splice(0).reverse()) {
      try {
        ending()
      } catch (error) {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EBADF') throw error
      }
    }
  }
}
