/** What a block list says of targets whose address is not written in them. */
import { BlockList } from 'node:net'
import { ConnectionManager } from 'cancelpoint'
import { afterAll, describe, expect, it } from 'vitest'
import { freshName, inet, inetName, Sockets } from '../support/sockets.mjs'

const manager = new ConnectionManager({ timeoutMs: 5_000, retry: false })
const sockets = new Sockets()
afterAll(async () => {
  sockets.close()
  await manager.close()
})

const listOf = (subnet: string, bits: number) => {
  const list = new BlockList()
  list.addSubnet(subnet, bits)
  return list
}
const loopback = listOf('127.0.0.0', 8)
const elsewhere = listOf('10.0.0.0', 8)

const outcomeOf = (target: string, options: object) =>
  manager.open(target, options).then(
    (descriptor) => {
      descriptor.close()
      return 'connected'
    },
    (error) => `${error.code} ${error.errnoClass} ${error.attempts.length}`,
  )
const barred = 'ERR_BLOCKED denied 0'

describe('a block list', () => {
  it('judges the unspecified address as what it is connected to', async () => {
    const { port } = inetName(sockets.listener('inet', { address: inet(0, '127.0.0.1') }))
    const target = `0.0.0.0:${port}`
    expect(await outcomeOf(target, { blockList: loopback })).toBe(barred)
    expect(await outcomeOf(target, { blockList: elsewhere })).toBe('connected')
  })

  it('judges the unspecified address also as the source that it is connected from', async () => {
    const { port } = inetName(sockets.listener('inet', { address: inet(0, '127.0.0.9') }))
    const options = { localAddress: '127.0.0.9' }
    expect(await outcomeOf(`0.0.0.0:${port}`, { ...options, blockList: elsewhere })).toBe('connected')
    expect(await outcomeOf(`0.0.0.0:${port}`, { ...options, blockList: listOf('127.0.0.9', 32) })).toBe(barred)
  })

  it('bars AF_UNIX, which is this machine, where it bars loopback', async () => {
    const address = freshName()
    sockets.listener('unix', { address })
    const target = `unix:@${address.path.slice(1)}`
    expect(await outcomeOf(target, { blockList: loopback })).toBe(barred)
    expect(await outcomeOf(target, { blockList: elsewhere })).toBe('connected')
    const error = await manager.open(target, { blockList: loopback }).catch((error) => error)
    expect(error.message).toContain('the block list bars 127.0.0.1, which that leads to')
  })

  it('is not passed by a name whose address leads to a barred one', async () => {
    for (const address of ['0.0.0.0', '::', '64:ff9b::7f00:1', '2002:7f00:1::'])
      expect(await outcomeOf('a.test:80', { blockList: loopback, lookup: async () => [address] }), address).toBe(barred)
  })
})
