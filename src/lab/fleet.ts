/** The lab: a fleet of real listeners on loopback, over as many addresses of 127/8 as asked for. */
import { labTargetsAtMost } from '../core/limits.js'
import { type Behaviour, behaviours, type Station, stationLimit } from './behaviours.js'

export type { Behaviour } from './behaviours.js'

export interface LabTarget {
  /** As `connect` and `cancelpoint check` take it. */
  target: string
  behaviour: Behaviour
}

export interface Fleet extends AsyncDisposable {
  readonly targets: readonly LabTarget[]
  /** Closes every descriptor of the fleet. Idempotent. */
  close(): Promise<void>
}

/** Dealt out in turn: the first six show every behaviour, the whole round is mostly good hosts. */
const round: readonly Behaviour[] = [
  ...(['accept', 'refuse', 'hang', 'stall', 'slow', 'reset'] as const),
  ...(['accept', 'accept', 'accept', 'refuse', 'accept', 'accept', 'hang'] as const),
  ...(['accept', 'accept', 'refuse', 'accept', 'accept', 'accept', 'refuse'] as const),
]

/**
 * Starts listeners for `targets` targets, each at an address or name of its own, reachable from this machine alone.
 * The caller owns the fleet and closes it; the process stays alive until then.
 */
export async function startFleet({ targets: count }: { targets: number }): Promise<Fleet> {
  if (!Number.isInteger(count) || count < 1 || count > labTargetsAtMost) {
    throw new RangeError(`a fleet has 1 to ${labTargetsAtMost.toLocaleString('en')} targets, not ${count}`)
  }
  const stations = new Map<Behaviour, Station[]>()
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= Promise.all([...stations.values()].flat().map((station) => station.close())).then(() => {})
    return closing
  }
  const targets: LabTarget[] = []
  try {
    for (let index = 0; index < count; index += 1) {
      const behaviour = dealt(index, stations)
      const station = await stationFor(behaviour, stations)
      targets.push({ target: targetAt(station, index), behaviour })
    }
  } catch (error) {
    await close()
    throw error
  }
  return { targets, close, [Symbol.asyncDispose]: close }
}

/** The behaviour whose turn it is; once one that needs a station a target has enough of them, a good host instead. */
function dealt(index: number, stations: ReadonlyMap<Behaviour, Station[]>): Behaviour {
  const behaviour = round[index % round.length]!
  const limit = stationLimit(behaviour)
  return limit !== undefined && (stations.get(behaviour)?.length ?? 0) >= limit ? 'accept' : behaviour
}

async function stationFor(behaviour: Behaviour, stations: Map<Behaviour, Station[]>): Promise<Station> {
  const open = stations.get(behaviour) ?? []
  if (stationLimit(behaviour) === undefined && open[0] !== undefined) return open[0]
  const station = await behaviours[behaviour].open()
  stations.set(behaviour, [...open, station])
  return station
}

function targetAt(station: Station, index: number): string {
  if ('name' in station.place) return `unix:@${station.place.name}`
  // 250 values an octet from 1 up, so that no address looks like a network's own or a broadcast one.
  const octet = (divisor: number) => 1 + (Math.floor(index / divisor) % 250)
  return `127.${octet(62_500)}.${octet(250)}.${octet(1)}:${station.place.port}`
}
