/** What the kernel says of a TCP socket, by iproute2's ss. */
import { execFileSync } from 'node:child_process'
import type { Socket } from 'node:net'

/** Why tests that ask it are skipped here, or undefined. */
export const lackingSs = (() => {
  try {
    execFileSync('ss', ['-V'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'no ss here: install iproute2'
  }
})()

/** Names of the timers that run: `keepalive`. */
export function timersOf({ localPort }: Socket): string[] {
  const line = execFileSync('ss', ['-tnoH', 'state', 'established', `sport = :${localPort}`], { encoding: 'utf8' })
  return [...line.matchAll(/timer:\((\w+)/g)].map(([, name]) => name!)
}
