import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConnectionManager, ledger } from 'cancelpoint'
import { expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { laneStackBytes } from '#internal/core/limits'
import { startFleet } from '#internal/lab/fleet'

/** Mappings as large as a lane's stack with a page right below them that nobody may touch. */
function stacks(): number {
  const mappings = [...readFileSync('/proc/self/maps', 'utf8').matchAll(/^([0-9a-f]+)-([0-9a-f]+) (\S+)/gm)]
  const bytes = mappings.map(([, from, to]) => Number(`0x${to}`) - Number(`0x${from}`))
  return mappings.filter(([, from, , access], i) => {
    const below = mappings[i - 1]
    const guarded = below?.[2] === from && below?.[3] === '---p' && bytes[i - 1] === 4_096
    return guarded && access === 'rw-p' && bytes[i] === laneStackBytes
  }).length
}

it('lets no lane that takes long to end hold up the cancels of others', async () => {
  const lanes = 200
  await using fleet = await startFleet({ targets: 3 })
  const hanging = fleet.targets.find(({ behaviour }) => behaviour === 'hang')!.target
  await using manager = new ConnectionManager({ engine: 'blocking', lanes })
  const controller = new AbortController()
  let rejected = 0
  const calls = Array.from({ length: lanes }, () =>
    manager.connect(hanging, { signal: controller.signal }).catch(() => {
      rejected++
    }),
  )
  while (ledger().descriptors < lanes) await sleep(1)
  // Every lane that was cancelled stays in close(2) for so long that all are, before the first is done.
  binding.inject('close', 0, 0, 2_000_000)
  try {
    const before = binding.callsSeen('close')
    controller.abort()
    while (binding.callsSeen('close') < before + lanes && rejected === 0) await sleep(1)
    expect(rejected).toBe(0)
  } finally {
    binding.clearFaults()
  }
  await Promise.all(calls)
  expect(rejected).toBe(lanes)
  expect(ledger().descriptors).toBe(0)
})

it('keeps the stacks of ended lanes for the next, and gives them back unused', async () => {
  const lanes = 50
  await using fleet = await startFleet({ targets: 3 })
  const hanging = fleet.targets.find(({ behaviour }) => behaviour === 'hang')!.target
  const before = stacks()
  await using manager = new ConnectionManager({ engine: 'blocking', lanes })
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
