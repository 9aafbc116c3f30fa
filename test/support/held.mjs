// @ts-check
/** What the process holds. Plain JavaScript, because child processes look as well. */
import { readdirSync } from 'node:fs'
import { ledger } from 'cancelpoint'

export const openDescriptors = () => readdirSync('/proc/self/fd').length

/** What a call may hold. Lanes are left out: a lane that was cancelled is joined after the rejection. */
export function held() {
  const { descriptors, buffers, attempts } = ledger()
  return { open: openDescriptors(), descriptors, buffers, attempts }
}
