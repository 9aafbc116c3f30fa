/** `fetch` as it is, and in a process whose connects all go through cancelpoint. */
import { fileURLToPath } from 'node:url'

import { serve } from '../peers.js'
import { type Metrics, ratio, type Scenario, type Settings } from '../scenario.js'
import { percentiles } from '../statistics.js'

interface Answering {
  port: number
}

const bare = 'fetch'
const registered = 'fetch, cancelpoint/register'
const server = fileURLToPath(new URL('../setup/answering.js', import.meta.url))
const atOnce = 64

export const fetches: Scenario<Answering> = {
  name: 'fetch',
  about:
    `fetch() of an address, to a loopback server in another process that closes each connection: one at a time, and ${atOnce} at\n` +
    'once. By cancelpoint/register the same code connects through cancelpoint.',
  rounds: 7,
  columns: [
    { key: 'p50', title: 'p50', unit: 'µs', digits: 1 },
    { key: 'perSecond', title: `${atOnce} at once`, unit: '/s' },
  ],
  figures: [
    ratio('fetch() registered, against fetch(): p50', 'p50', registered, bare),
    ratio(`fetch() registered, against fetch(): rate, ${atOnce} at once`, 'perSecond', registered, bare),
  ],
  open: async () => {
    const { up, stop } = await serve<Answering, { answered: number }>(process.execPath, [server])
    return {
      stage: up,
      close: async () => [`The server answered ${(await stop()).answered.toLocaleString('en')} requests.`],
    }
  },
  contestants: () => [
    { name: bare, run: measure },
    {
      name: registered,
      run: async (stage, settings) => {
        const { unregister } = await import('../../src/adapters/register.js')
        try {
          return await measure(stage, settings)
        } finally {
          unregister()
        }
      },
    },
  ],
}

async function measure({ port }: Answering, { quick }: Settings): Promise<Metrics> {
  const url = `http://127.0.0.1:${port}/`
  const get = async () => {
    const response = await fetch(url)
    await response.text()
  }
  const [warmUp, samples] = quick ? [20, 50] : [500, 2_000]
  const latencies: number[] = []
  for (let i = 0; i < warmUp + samples; i++) {
    const startedAt = performance.now()
    await get()
    if (i >= warmUp) latencies.push((performance.now() - startedAt) * 1_000)
  }
  const startedAt = performance.now()
  let left = samples
  const loop = async () => {
    while (left-- > 0) await get()
  }
  await Promise.all(Array.from({ length: atOnce }, loop))
  return { ...percentiles(latencies), perSecond: samples / ((performance.now() - startedAt) / 1_000) }
}
