/** Which known name a misspelled one was meant to be. */

/** A longer one is no slip in a name, and its distance would take time by the square. */
const nameLengthAtMost = 40

/** The nearest of `known`, whatever its case, if a third of the letters or fewer differ. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > nameLengthAtMost) return undefined
  const wanted = name.toLowerCase()
  let best: { name: string; distance: number } | undefined
  for (const candidate of known) {
    const distance = distanceOf(wanted, candidate.toLowerCase())
    const most = Math.floor(Math.max(wanted.length, candidate.length) / 3)
    if (distance <= most && (!best || distance < best.distance)) best = { name: candidate, distance }
  }
  return best?.name
}

/** Letters to leave out, put in, change or swap with their neighbour (the optimal string alignment distance). */
export function distanceOf(a: string, b: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const changed = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, changed)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) row[j] = Math.min(row[j]!, beforeLast[j - 2]! + 1)
    }
    beforeLast = last
    last = row
  }
  return last[b.length]!
}
