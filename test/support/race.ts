/** Races as their tests write them: addresses, events, and what a race did with them in virtual time. */
import type { Family, InetEndpoint } from '#internal/core/endpoint'
import { type Order, Race, type RaceEvent, type RaceOptions } from '#internal/core/race'

/** `4a`, `6b`: an address of that family. One object a name, as a driver has it. */
const endpoints = new Map<string, InetEndpoint>()
export function at(name: string): InetEndpoint {
  const known = endpoints.get(name)
  if (known) return known
  const last = name.charCodeAt(1)
  const endpoint: InetEndpoint =
    name[0] === '4'
      ? { family: 'inet', address: `127.0.0.${last}`, port: 80 }
      : { family: 'inet6', address: `::${last.toString(16)}`, port: 80 }
  endpoints.set(name, endpoint)
  return endpoint
}
export const nameOf = (endpoint: InetEndpoint) => [...endpoints].find(([, each]) => each === endpoint)![0]
export const written = (name: string) => (name[0] === '4' ? `${at(name).address}:80` : `[${at(name).address}]:80`)

/** `4a 6a`: all addresses, the most preferred first. */
export const inOrder = (names: string): Order => {
  const rank = (endpoint: InetEndpoint) => names.split(' ').indexOf(nameOf(endpoint))
  return (some) => some.toSorted((a, b) => rank(a) - rank(b))
}

export const families: Record<string, readonly Family[]> = { A: ['inet'], AAAA: ['inet6'], both: ['inet6', 'inet'] }

/** `AAAA 6a 6b`, `A`, `both 4a 6a`: answers. `fail 4a`, `connect 6a`. `begin 4a`: it had its turn, for delayed starts. */
function eventOf(text: string): RaceEvent {
  const [verb, ...names] = text.split(' ')
  if (families[verb!]) return { type: 'resolved', families: families[verb!]!, endpoints: names.map(at) }
  const type = ({ fail: 'failed', connect: 'connected', begin: 'started' } as const)[verb!]!
  return { type, endpoint: at(names[0]!) }
}

export type PlayOptions = Partial<RaceOptions> & { delayed?: string[] }

/**
 * Plays events at their times in virtual time, keeps the wakes that the race asks for, and gives back what it did as
 * `time start 6a`. Whatever starts has its turn at once, unless `delayed` says otherwise.
 */
export function play(
  script: readonly (readonly [now: number, event: string])[],
  { delayed = [], ...options }: PlayOptions = {},
): string[] {
  const race = new Race({ families: families.both!, ...options })
  const log: string[] = []
  let wakeAt: number | undefined
  const tell = (event: RaceEvent, now: number): void => {
    wakeAt = undefined
    for (const action of race.on(event, now)) {
      if (action.type === 'wake') wakeAt = action.at
      else log.push(`${now} ${action.type}${'endpoint' in action ? ` ${nameOf(action.endpoint)}` : ''}`)
      if (action.type === 'start' && !delayed.includes(nameOf(action.endpoint)))
        tell({ type: 'started', endpoint: action.endpoint }, now)
    }
  }
  const wakeUntil = (end: number) => {
    while (wakeAt !== undefined && wakeAt <= end) tell({ type: 'woken' }, wakeAt)
  }
  for (const [now, text] of script) {
    wakeUntil(now - 1)
    tell(eventOf(text), now)
  }
  wakeUntil(1_000_000)
  return log
}
