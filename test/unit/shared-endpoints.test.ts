import type { CheckResult } from 'cancelpoint'
import { describe, expect, it } from 'vitest'
import { countersAtMost, manyConnections, SharedEndpoints } from '#internal/cli/shared-endpoints'

const up = (address: string, port = 80): CheckResult => ({
  target: 'name:80',
  status: 'up',
  attempts: 1,
  startedAt: 0,
  address,
  port,
})
const distinct = (index: number) => up(`10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`)

describe('SharedEndpoints', () => {
  it('names the endpoint that has many connections, and the most', () => {
    const shared = new SharedEndpoints()
    for (let i = 1; i < manyConnections; i += 1) shared.add(up('::1', 3306))
    expect(shared.busiest).toBeUndefined()
    shared.add(up('::1', 3306))
    expect(shared.busiest).toEqual({ endpoint: '[::1]:3306', count: manyConnections })
    for (let i = 0; i <= manyConnections; i += 1) shared.add(up('127.0.0.1', 3306))
    expect(shared.busiest).toEqual({ endpoint: '127.0.0.1:3306', count: manyConnections + 1 })
  })

  it('tells ports of one address apart, and counts no target that is not up or has no address', () => {
    const shared = new SharedEndpoints()
    for (let i = 0; i < 10 * manyConnections; i += 1) {
      shared.add(up('127.0.0.1', i + 1))
      shared.add({ ...up('127.0.0.2'), status: 'down' })
      shared.add({ target: 'unix:/a', path: '/a', status: 'up', attempts: 1, startedAt: 0 })
    }
    expect(shared.busiest).toBeUndefined()
  })

  it('finds it among more endpoints than it counts at once', () => {
    const shared = new SharedEndpoints()
    for (let i = 0; i < 20 * countersAtMost; i += 1) {
      shared.add(distinct(i))
      if (i % 10 === 0) shared.add(up('127.0.0.1'))
    }
    expect(shared.busiest?.endpoint).toBe('127.0.0.1:80')
    expect(shared.busiest!.count).toBeLessThanOrEqual(2 * countersAtMost)
  })
})
