/** The statuses of HTTP that count as well. */

/** Both ends belong to it. */
export type StatusRange = readonly [from: number, to: number]

/** As HAProxy's httpchk has it: a redirect is an answer. */
export const wellStatuses: readonly StatusRange[] = [[200, 399]]

/** `200`, `2xx`, `200-299`, and several with commas between; undefined for anything else. */
export function statusRanges(text: string): readonly StatusRange[] | undefined {
  const ranges = text.split(',').map((part): StatusRange | undefined => {
    const word = part.trim().toLowerCase()
    const [, from, to = from] = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(word) ?? []
    if (from !== undefined) return Number(from) <= Number(to) ? [Number(from), Number(to)] : undefined
    const [, hundred] = /^([1-5])xx$/.exec(word) ?? []
    return hundred === undefined ? undefined : [Number(hundred) * 100, Number(hundred) * 100 + 99]
  })
  return ranges.every((range) => range !== undefined) ? ranges : undefined
}
