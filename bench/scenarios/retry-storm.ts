/** Half of the targets refuse, and everybody tries again: what the supervisor makes of it, beside retries by hand. */
import { readdirSync } from 'node:fs'

import { ConnectionManager, type RetryPolicy } from '../../src/index.js'
import type { Peers } from '../peers.js'
import {
  type Contestant,
  installed,
  type Metrics,
  type OpenStage,
  ratio,
  type Scenario,
  type Settings,
} from '../scenario.js'
import { asNodeTarget, nodeConnect } from '../setup/accepting.js'
import { openAccepting, openRefusing } from '../setup/servers.js'
import { address } from '../setup/targets.js'

interface Storm {
  accepting: number
  refusing: number
}

const supervised = 'connect(), default budget'
const unbounded = 'connect(), no budget'
const byHand = 'p-retry around net.connect'

/** The supervisor's for what refuses; p-retry counts what comes after the first try. */
const policy = { tries: 3, baseMs: 100, capMs: 2_000 }

export const retryStorm: Scenario<Storm> = {
  name: 'retry-storm',
  about:
    '5,000 targets at once, of which half refuse: each is tried up to three times, with backoff and jitter from 100 ms. Sockets\n' +
    'are reset as they connect. A peak is of samples 5 ms apart.',
  rounds: 5,
  columns: [
    { key: 'ms', title: 'time', unit: 'ms' },
    { key: 'cpuMs', title: 'CPU', unit: 'ms' },
    { key: 'tries', title: 'tries', unit: '' },
    { key: 'descriptors', title: 'descriptors at the peak', unit: '' },
  ],
  figures: [
    ratio(`tries: ${supervised} against ${byHand}`, 'tries', supervised, byHand),
    ratio(`CPU: ${supervised} against ${byHand}`, 'cpuMs', supervised, byHand),
    ratio(`CPU: ${unbounded} against ${byHand}`, 'cpuMs', unbounded, byHand),
    ratio(`time: ${unbounded} against ${byHand}`, 'ms', unbounded, byHand),
    ratio(`descriptors at the peak: ${unbounded} against ${byHand}`, 'descriptors', unbounded, byHand),
  ],
  open: openStorm,
  contestants: () => [
    { name: supervised, run: storm(manager({})) },
    { name: unbounded, run: storm(manager({ budget: Number.POSITIVE_INFINITY })) },
    { name: byHand, run: storm(pRetry), needs: 5_000 },
  ],
}

async function openStorm(_: Settings, peers: Peers): Promise<OpenStage<Storm>> {
  const server = await openAccepting(peers)
  const refusing = await openRefusing()
  return {
    stage: { accepting: server.port, refusing: refusing.port },
    close: async () => {
      await refusing.close()
      return [...server.notes, ...(await server.close())]
    },
  }
}

/** Tries each target as its contestant does; the result is how many connects were made in all. */
type Storming = (targets: readonly string[]) => Promise<number>

function storm(run: Storming): Contestant<Storm>['run'] {
  return async ({ accepting, refusing }, { quick }): Promise<Metrics> => {
    const targets = Array.from({ length: quick ? 500 : 5_000 }, (_, index) => {
      return `${address(index)}:${index % 2 === 0 ? accepting : refusing}`
    })
    // Pools, caches and code are those of a process that has been at it for a while.
    await run(targets.slice(0, 100))
    const open = descriptors()
    let peak = 0
    const sampling = setInterval(() => {
      peak = Math.max(peak, descriptors() - open)
    }, 5)
    const [startedAt, cpu] = [performance.now(), process.cpuUsage()]
    const tries = await run(targets)
    const { user, system } = process.cpuUsage(cpu)
    clearInterval(sampling)
    return { ms: performance.now() - startedAt, cpuMs: (user + system) / 1000, tries, descriptors: peak }
  }
}

const descriptors = () => readdirSync('/proc/self/fd').length

function manager(retry: RetryPolicy): Storming {
  return async (targets) => {
    await using manager = new ConnectionManager({ retry: { ...policy, ...retry }, maxInFlight: 1_000 })
    const calls = targets.map(async (target) => void (await manager.connect(target)).resetAndDestroy())
    await Promise.allSettled(calls)
    return targets.length + manager.stats().retries
  }
}

async function pRetry(targets: readonly string[]): Promise<number> {
  const { default: retry } = await installed('p-retry', import('p-retry'))
  let tries = 0
  const attempt = (target: string) => async () => {
    tries++
    ;(await nodeConnect(asNodeTarget(target))).resetAndDestroy()
  }
  const options = { retries: policy.tries - 1, minTimeout: policy.baseMs, maxTimeout: policy.capMs, randomize: true }
  await Promise.allSettled(targets.map((target) => retry(attempt(target), options)))
  return tries
}
