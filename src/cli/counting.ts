/** How many targets a long input has, counted beside the check, so that a progress bar comes to have an end. */

/** Few enough that no result waits for the count. */
const perTurn = 64

/**
 * Counts, some in each turn of the event loop, until there are no more. Undefined where `signal` aborts first, or where the
 * input cannot be read to its end.
 */
export async function countAside(targets: AsyncIterable<unknown>, signal: AbortSignal): Promise<number | undefined> {
  let count = 0
  for await (const _ of targets) {
    count += 1
    if (count % perTurn !== 0) continue
    await new Promise(setImmediate)
    if (signal.aborted) return undefined
  }
  return signal.aborted ? undefined : count
}
