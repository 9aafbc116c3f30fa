import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionManager, ledger } from 'cancelpoint'
import { expect, it } from 'vitest'
import { laneStackBytes } from '#internal/core/limits'
import { startFleet } from '#internal/lab/fleet'

/** Mappings as large as a lane's stack: the kernel never joins them, for each has a guard page below it. */
function stacks(): number {
  const mappings = readFileSync('/proc/self/maps', 'utf8').matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw-p/gm)
  return [...mappings].filter(([, from, to]) => Number(`0x${to}`) - Number(`0x${from}`) === laneStackBytes).length
}

it('keeps the stacks of ended lanes for the next, and gives them back unused', async () => {
  const lanes = 50
  await using fleet = await startFleet({ targets: 3 })
  const hanging = fleet.targets.find(({ behaviour }) => behaviour === 'hang')!.target
  const before = stacks()
  await using manager = new ConnectionManager({ lanes })
  for (let round = 0; round < 3; round++) {
    const controller = new AbortController()
    const calls = Array.from({ length: lanes }, () => manager.connect(hanging, { signal: controller.signal }))
    const settled = Promise.allSettled(calls)
    while (ledger().descriptors < lanes) await sleep(1)
    expect(stacks() - before).toBe(lanes)
    controller.abort()
    await settled
    while (ledger().lanes > 0) await sleep(1)
    expect(stacks() - before).toBe(lanes)
  }
  while (stacks() > before) await sleep(50)
  expect(stacks()).toBe(before)
})
