import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import net from 'node:net'
import { networkInterfaces } from 'node:os'
import * as posix from 'cancelpoint/posix'
import { afterEach, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { type Fleet, startFleet } from '#internal/lab/fleet'

const openDescriptors = () => readdirSync('/proc/self/fd').length

const other = Object.keys(networkInterfaces()).find((name) => name !== 'lo')
const alone = other === undefined ? ' [skipped: there is no interface but lo]' : ''

let fleet: Fleet | undefined
afterEach(async () => {
  await fleet?.close()
  fleet = undefined
})

async function fleetOf(targets: number): Promise<Fleet> {
  fleet = await startFleet({ targets })
  return fleet
}

const targetsOf = ({ targets }: Fleet, behaviour: string) =>
  targets.filter((target) => target.behaviour === behaviour).map(({ target }) => target)

/** 'connected', an errno's name, or 'waiting' after `waitMs`; by Node's own connect. */
async function dial(target: string, waitMs = 300): Promise<string> {
  const [host, port] = target.split(':')
  const socket = net.connect(Number(port), host)
  const waiting = new Promise<string>((resolve) => setTimeout(resolve, waitMs, 'waiting'))
  const outcome = once(socket, 'connect').then(
    () => 'connected',
    (error: NodeJS.ErrnoException) => error.code!,
  )
  const result = await Promise.race([outcome, waiting])
  socket.on('error', () => {}).destroy()
  return result
}

describe('the lab', () => {
  it('gives every target an address of its own in 127/8, and every behaviour a share', async () => {
    const { targets } = await fleetOf(1000)
    expect(new Set(targets.map(({ target }) => target)).size).toBe(1000)
    expect(new Set(targets.map(({ behaviour }) => behaviour)).size).toBe(6)
    for (const { target } of targets) expect(target).toMatch(/^(127\.\d+\.\d+\.\d+:\d+|unix:@\S+)$/)
  })

  it('accepts, refuses, hangs and resets as it says', async () => {
    const started = await fleetOf(12)
    expect(await dial(targetsOf(started, 'accept')[0]!)).toBe('connected')
    expect(await dial(targetsOf(started, 'refuse')[0]!)).toBe('ECONNREFUSED')
    expect(await dial(targetsOf(started, 'hang')[0]!)).toBe('waiting')
    const [host, port] = targetsOf(started, 'reset')[0]!.split(':')
    const [error] = await once(net.connect(Number(port), host).resume(), 'error').catch((thrown) => [thrown])
    expect(error.code).toBe('ECONNRESET')
  })

  it('has AF_UNIX targets with no room: EAGAIN where nothing waits', async () => {
    const [target] = targetsOf(await fleetOf(12), 'stall')
    const fd = posix.socket('unix')
    posix.setNonblocking(fd, true)
    const address = { family: 'unix', path: target!.replace('unix:@', '\0') } as const
    await expect(posix.connect(fd, address)).rejects.toMatchObject({ code: 'EAGAIN', errnoClass: 'busy' })
    posix.close(fd)
  })

  it('is slow and then good: two attempts fail, the third connects', async () => {
    const [target] = targetsOf(await fleetOf(12), 'slow')
    expect(await dial(target!, 150)).toBe('waiting')
    expect(await dial(target!, 150)).toBe('waiting')
    await expect.poll(() => dial(target!, 150)).toBe('connected')
    expect(await dial(target!)).toBe('connected')
  })

  it('lets a patient attempt at a slow target through', async () => {
    const [target] = targetsOf(await fleetOf(12), 'slow')
    expect(await dial(target!, 10_000)).toBe('connected')
  })

  // Two sockets share a port only where each is tied to an interface of its own.
  it.skipIf(alone)(`is tied to lo: its port is free on every other interface${alone}`, async () => {
    const [target] = targetsOf(await fleetOf(12), 'accept')
    const port = Number(target!.split(':')[1])
    const bindTo = (device: string) => {
      const fd = posix.socket('inet')
      try {
        expect(binding.bindToDevice(fd, device)).toBe(0)
        posix.bind(fd, { family: 'inet', address: '0.0.0.0', port })
      } finally {
        posix.close(fd)
      }
    }
    expect(() => bindTo('lo')).toThrow(/EADDRINUSE/)
    bindTo(other!)
  })

  it('leaves no descriptor open, whatever state its targets are in', async () => {
    await (await startFleet({ targets: 6 })).close()
    const before = openDescriptors()
    const started = await startFleet({ targets: 240 })
    const [opened, dropped] = targetsOf(started, 'slow')
    for (const target of [opened!, opened!, opened!, dropped!]) await dial(target, 100)
    const left = net.connect(Number(targetsOf(started, 'accept')[0]!.split(':')[1]), '127.0.0.1')
    await once(left, 'connect')
    await Promise.all([started.close(), started.close()])
    left.destroy()
    await once(left, 'close')
    expect(openDescriptors()).toBe(before)
  })

  it.each([0, 1.5, -1, 2_000_000])('has no fleet of %d', async (targets) => {
    await expect(startFleet({ targets })).rejects.toThrow(RangeError)
  })
})
