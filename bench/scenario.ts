/** What a scenario is: contestants that are run side by side, and the figures that come of it. */
import type { EngineName } from '../src/types.js'
import type { Peers } from './peers.js'

/** What a contestant measured in one round: one number a column. */
export type Metrics = Readonly<Record<string, number>>

export interface Settings {
  /** The smoke run: small sizes, figures that mean little. */
  quick: boolean
  /** `--targets`: what to connect to instead of the loopback server. */
  targets?: readonly string[]
}

/** Runs once a round in a fresh process: in Node (child.ts), or whatever `spawn` starts. */
export interface Contestant<Stage> {
  readonly name: string
  /** Descriptors and threads it takes, where they are many: skipped by name where the limit is lower. */
  readonly needs?: number
  /** In a Node process of its own; must leave nothing open, or end it. */
  run?(stage: Stage, settings: Settings): Promise<Metrics>
  /** From the harness's process. Throws what `skips` tells. */
  spawn?(stage: Stage, settings: Settings, peers: Peers): Promise<Metrics>
}

export interface Column {
  key: string
  title: string
  unit: string
  digits?: number
}

/** What a figure is to be. */
export interface Aim {
  atMost?: number
  under?: number
  atLeast?: number
}

/** One number of a round, by contestant and column; undefined where that contestant did not run. */
export type Lookup = (contestant: string, column: string) => number | undefined

/** A figure of the whole scenario, with its aim where it has one. */
export interface Figure extends Aim {
  says: string
  unit: string
  digits?: number
  of(value: Lookup): number | undefined
}

/** What one contestant has of a column against what another has. */
export function ratio(says: string, column: string, mine: string, theirs: string, aim: Aim = {}): Figure {
  return {
    says,
    unit: 'x',
    digits: 2,
    of: (value) => {
      const [one, other] = [value(mine, column), value(theirs, column)]
      return one === undefined || other === undefined ? undefined : one / other
    },
    ...aim,
  }
}

/** The two engines side by side: what `engine: 'auto'` is chosen by. */
export function betweenEngines(what: string, column: string, contestantOf: (engine: EngineName) => string): Figure {
  const says = `nonblocking against blocking: ${what}`
  return ratio(says, column, contestantOf('nonblocking'), contestantOf('blocking'))
}

export interface Scenario<Stage = unknown> {
  readonly name: string
  /** For the report: what is measured and how. */
  readonly about: string
  readonly rounds: number
  readonly columns: readonly Column[]
  readonly figures: readonly Figure[]
  /** `--targets` makes sense for it. */
  readonly takesTargets?: boolean
  contestants(settings: Settings): readonly Contestant<Stage>[]
  /** Starts what contestants connect to. `stage` is sent to their processes as JSON. */
  open(settings: Settings, peers: Peers): Promise<OpenStage<Stage>>
}

export interface OpenStage<Stage> {
  stage: Stage
  /** Ends it; the result is notes for the report. */
  close(): Promise<readonly string[]>
}

/** Of a server that has nothing to tell. */
export function stageOf<Server extends { close(): Promise<void> }>(server: Server): OpenStage<Omit<Server, 'close'>> {
  const { close, ...stage } = server
  return {
    stage,
    close: async () => {
      await close()
      return []
    },
  }
}

/** Thrown by a contestant that cannot run here: it is reported by name with this reason. */
export class Skipped extends Error {}

/** A package that the project only develops with. */
export function installed<T>(name: string, loading: Promise<T>): Promise<T> {
  return loading.catch(() => {
    throw new Skipped(`${name} is not installed: it is a development dependency`)
  })
}

export const micro = 1_000
