/**
 * What tells one target of a list from another: what was written, and its labels, in whatever order. A list may have the same one
 * several times.
 */
export function keyOf(text: string, labels: Readonly<Record<string, string>> | undefined): string {
  const sorted = labels ? Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)) : []
  return sorted.length === 0 ? text : `${text}\n${JSON.stringify(sorted)}`
}
