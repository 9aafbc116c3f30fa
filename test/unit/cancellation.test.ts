import { describe, expect, it } from 'vitest'
import { Cancellation } from '#internal/call/cancellation'
import { listenersOn } from '../support/counts.js'

describe('a cancellation', () => {
  it('counts the first request alone, and makes its error once', () => {
    let made = 0
    const cancellation = new Cancellation()
    const request = (message: string) =>
      cancellation.request(() => {
        made += 1
        return new Error(message)
      })
    request('first')
    request('second')
    expect(made).toBe(0)
    expect(cancellation.error()).toBe(cancellation.error())
    expect(() => cancellation.throwIfRequested()).toThrow('first')
    expect(made).toBe(1)
  })

  it('tells each step once, at once where it came first, and not those that have stopped', () => {
    const cancellation = new Cancellation()
    const told: string[] = []
    cancellation.onRequest(() => told.push('before'))
    cancellation.onRequest(() => told.push('stopped'))()
    cancellation.request(() => new Error())
    cancellation.request(() => new Error())
    cancellation.onRequest(() => told.push('after'))
    expect(told).toEqual(['before', 'after'])
    expect(cancellation.signal.aborted).toBe(true)
  })

  it('lets go of the signal at its request, at its end, and where it was aborted from the start', () => {
    const controller = new AbortController()
    const { signal } = controller
    const [ended, requested, aborted] = [1, 2, 3].map(() => new Cancellation(signal))
    expect(listenersOn(signal)).toBe(1)
    ended!.end()
    requested!.request(() => new Error())
    expect(listenersOn(signal)).toBe(1)
    controller.abort('why')
    expect(listenersOn(signal)).toBe(0)
    expect(aborted!.error()).toMatchObject({ code: 'ABORT_ERR', cause: 'why' })
    expect(ended!.requested).toBe(false)
    expect(new Cancellation(signal).requested).toBe(true)
    expect(listenersOn(signal)).toBe(0)
  })

  it('races callers’ code, whichever way it ends', async () => {
    const settled = new Cancellation()
    expect(await settled.race(Promise.resolve('done'))).toBe('done')
    await expect(settled.race(Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    const cancelled = new Cancellation()
    const never = cancelled.race(new Promise(() => {}))
    cancelled.request(() => new Error('asked for'))
    await expect(never).rejects.toThrow('asked for')
  })

  it('hears of an abort whose event an earlier listener stops', () => {
    const controller = new AbortController()
    controller.signal.addEventListener('abort', (event) => event.stopImmediatePropagation())
    const calls = [new Cancellation(controller.signal), new Cancellation(controller.signal)]
    controller.abort()
    expect(calls.map(({ requested }) => requested)).toEqual([true, true])
    expect(listenersOn(controller.signal)).toBe(1)
  })

  it('tells any number of them that a step asks for in turn, and the steps behind one that throws', async () => {
    const many = 20_000
    let told = 0
    const chain = Array.from({ length: many }, () => new Cancellation())
    for (const [i, cancellation] of chain.entries()) {
      cancellation.onRequest(() => chain[i + 1]?.request(() => new Error()))
      cancellation.onRequest(() => {
        told += 1
      })
    }
    const thrown = new Promise((resolve) => process.once('uncaughtException', resolve))
    const others = process.listeners('uncaughtException').slice(0, -1)
    for (const other of others) process.off('uncaughtException', other)
    chain[many - 1]!.onRequest(() => {
      throw new Error('thrown by a step')
    })
    chain[many - 1]!.onRequest(() => {
      told += 1
    })
    chain[0]!.request(() => new Error())
    expect(told).toBe(many + 1)
    expect(await thrown).toMatchObject({ message: 'thrown by a step' })
    for (const other of others) process.on('uncaughtException', other)
  })
})
