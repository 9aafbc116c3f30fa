/**
 * Loopback addresses that share a port and do different things with a connect. What is accepted stands in a queue, so
 * that no descriptor of the listening side blurs the counts.
 */
import * as posix from 'cancelpoint/posix'
import { inet, inet6, inetName, lackingIpv6, type Sockets } from './sockets.mjs'

export interface Stage {
  port: number
  hang: string[]
  accept: string[]
  refuse: string[]
  /** Undefined where there is no ::1. */
  accept6: string | undefined
}

const queue = 4_096

export async function openStage(sockets: Sockets): Promise<Stage> {
  const accept = ['127.0.9.1', '127.0.9.2']
  const hang = ['127.0.9.3', '127.0.9.4']
  const { port } = inetName(sockets.listener('inet', { backlog: queue, address: inet(0, accept[0]) }))
  sockets.listener('inet', { backlog: queue, address: inet(port, accept[1]) })
  for (const address of hang) {
    sockets.listener('inet', { backlog: 0, address: inet(port, address) })
    await posix.connect(sockets.open('inet'), inet(port, address))
  }
  const refuse = ['127.0.9.5', '127.0.9.6']
  for (const address of refuse) sockets.bound('inet', { address: inet(port, address) })
  if (!lackingIpv6) sockets.listener('inet6', { backlog: queue, address: inet6(port) })
  return { port, hang, accept, refuse, accept6: lackingIpv6 ? undefined : '::1' }
}
