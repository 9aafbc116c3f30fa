/** Ways to be there at the right moment. Each arms the seam; `afterEach(clearFaults)` disarms it. */
import { setTimeout as wait } from 'node:timers/promises'
import { binding } from '#internal/bridge/binding'

/** Counts calls from now on, without any effect on them. */
export function countCalls(): void {
  binding.clearFaults()
  binding.jitter(0, 0)
}

/** Resolves when native code has made `count` calls of this kind since the seam was armed. */
export async function callsMade(call: string, count = 1): Promise<void> {
  while (binding.callsSeen(call) < count) await wait(1)
}

/** Resolves when `count` lanes sit in connect(2): they have called it, and had time to fall asleep there. */
export async function blockedInConnect(count = 1): Promise<void> {
  await callsMade('connect', count)
  await wait(20)
}

/** Holds this thread, while lanes go on. */
export function holdThread(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
