/** The statuses of HTTP that count as well. */

/** Both ends belong to it. */
export type StatusRange = readonly [from: number, to: number]

/** As HAProxy's httpchk has it: a redirect is an answer. */
export const wellStatuses: readonly StatusRange[] = [[200, 399]]

/** For messages: what statusRanges takes. */
export const statusesExpected = 'a final status from 200 to 599: 200, 2xx or 200-204, or several with commas'

/**
 * `200`, `2xx`, `200-299`, and several with commas between; undefined for anything else. An interim status (1xx) is anything else:
 * the answer that follows it is the one that is judged, so no target could ever meet it.
 */
export function statusRanges(text: string): readonly StatusRange[] | undefined {
  const ranges = text.split(',').map((part): StatusRange | undefined => {
    const word = part.trim().toLowerCase()
    const [, from, to = from] = /^([2-5]\d\d)(?:-([2-5]\d\d))?$/.exec(word) ?? []
    if (from !== undefined) return Number(from) <= Number(to) ? [Number(from), Number(to)] : undefined
    const [, hundred] = /^([2-5])xx$/.exec(word) ?? []
    return hundred === undefined ? undefined : [Number(hundred) * 100, Number(hundred) * 100 + 99]
  })
  return ranges.every((range) => range !== undefined) ? ranges : undefined
}
