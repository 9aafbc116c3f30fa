/**
 * The engines there are. A new one is a file that implements `Engine`, its name in `engineNames` (types.ts), and a row here. A manager opens them all
 * and knows them by name alone.
 */
import type { EngineName } from '../types.js'
import { BlockingEngine } from './blocking.js'
import type { Engine } from './engine.js'
import { NonblockingEngine } from './nonblocking.js'

export interface EngineSettings {
  /** Native threads of the blocking engine, at most. */
  lanes: number
  /** Attempts under way at once in an engine that has no thread for each, at most; without it the engine's own limit. */
  inFlight?: number | undefined
  /** Told of each worker that ended by itself, and of lanes that could not be had; both are mended by then. */
  onFailure(error: Error): void
}

export type Engines = Readonly<Record<EngineName, Engine>>

/**
 * How each is opened, in this order; they are closed in the opposite one. An engine may hand attempts to those in the rows
 * before its own, so it must be closed before them.
 */
const table: readonly { name: EngineName; open(settings: EngineSettings, before: Engines): Engine }[] = [
  { name: 'blocking', open: ({ lanes, onFailure }) => new BlockingEngine({ lanes }, onFailure) },
  {
    name: 'nonblocking',
    open: ({ inFlight }, before) => new NonblockingEngine({ inFlight, lanes: () => before.blocking }),
  },
]

/** All of them. Nothing is started before an engine has its first attempt. `closeEngines` must follow. */
export function openEngines(settings: EngineSettings): Engines {
  const engines = {} as Record<EngineName, Engine>
  for (const { name, open } of table) engines[name] = open(settings, engines)
  return engines
}

/** Cancels what they still run; resolves when nothing of them is left. */
export async function closeEngines(engines: Engines): Promise<void> {
  for (const { name } of table.toReversed()) await engines[name].close()
}
