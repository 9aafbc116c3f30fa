/** From rounds to what is told: medians with their extremes, figures against their aims. */
import type { Result } from './harness.js'
import type { Figure, Scenario, Settings } from './scenario.js'
import { type Spread, spreadOf } from './statistics.js'

export interface Summary {
  name: string
  contestants: { name: string; values: Record<string, Spread> }[]
  figures: FigureResult[]
}

export interface FigureResult {
  says: string
  unit: string
  digits: number
  /** Absent where a contestant that it needs did not run. */
  value?: Spread
  /** 'under 80 µs', 'at least 2.00 x'. */
  aim?: string
  met?: boolean
}

/** A quick run has figures beside their aims and judges none: one short round shows nothing. */
export function summarise(scenario: Scenario, { rounds }: Result, { quick }: Settings): Summary {
  const names = [...new Set(rounds.flatMap((round) => Object.keys(round)))]
  return {
    name: scenario.name,
    contestants: scenario.contestants({ quick: false }).flatMap(({ name }) => {
      if (!names.includes(name)) return []
      const values = scenario.columns.flatMap(({ key }) => {
        const measured = rounds.flatMap((round) => round[name]?.[key] ?? [])
        return measured.length > 0 ? [[key, spreadOf(measured)] as const] : []
      })
      return { name, values: Object.fromEntries(values) }
    }),
    figures: scenario.figures.map((figure) => resultOf(figure, rounds, !quick)),
  }
}

/** A figure is taken within each round, where its contestants ran side by side; the median is of those. */
function resultOf(figure: Figure, rounds: Result['rounds'], judged: boolean): FigureResult {
  const { says, unit, digits = 0 } = figure
  const values = rounds.flatMap((round) => figure.of((contestant, column) => round[contestant]?.[column]) ?? [])
  const aim = aimOf(figure)
  const result: FigureResult = { says, unit, digits, ...(aim === undefined ? {} : { aim }) }
  if (values.length === 0) return result
  const value = spreadOf(values)
  return { ...result, value, ...(aim === undefined || !judged ? {} : { met: isMet(figure, value.median) }) }
}

function aimOf({ atMost, atLeast, under, unit }: Figure): string | undefined {
  if (atMost !== undefined) return `at most ${atMost} ${unit}`.trim()
  if (atLeast !== undefined) return `at least ${atLeast} ${unit}`.trim()
  if (under !== undefined) return `under ${under} ${unit}`.trim()
  return undefined
}

const isMet = ({ atMost, atLeast, under }: Figure, value: number): boolean =>
  value <= (atMost ?? Infinity) && value >= (atLeast ?? -Infinity) && value < (under ?? Infinity)
