/** A caller's block list, applied to what the kernel will reach. */
import { isIPv4 } from 'node:net'
import { addressesBehind } from '../core/embedded-ipv4.js'
import type { Endpoint } from '../core/endpoint.js'
import { advise } from '../core/errno.js'
import { ConnectError } from '../errors/connect-error.js'
import type { ConnectOptions } from '../types.js'

/** A path is judged as these, because its listener is on this machine. */
const loopback = ['127.0.0.1', '::1']

/**
 * The error of an endpoint that the block list bars, undefined where it may be connected to. An address is judged as
 * itself and as every address that it stands for (`addressesBehind`). A path or an abstract name is on this machine, so
 * a list that bars 127.0.0.1 or ::1 bars it too.
 */
export function refuseBlocked(
  endpoint: Endpoint,
  { blockList, localAddress }: Pick<ConnectOptions, 'blockList' | 'localAddress'>,
): ConnectError | undefined {
  if (!blockList) return undefined
  const judged = endpoint.family === 'unix' ? loopback : addressesBehind(endpoint.address, localAddress)
  const barred = judged.find((address) => blockList.check(address, isIPv4(address) ? 'ipv4' : 'ipv6'))
  if (barred === undefined) return undefined
  const { remedy } = advise('ERR_BLOCKED', 'denied')!
  const asWritten = endpoint.family !== 'unix' && endpoint.address === barred
  const means = asWritten ? 'The block list bars that address.' : `The block list bars ${barred}, which that leads to.`
  const advice = { means, remedy }
  return new ConnectError({ code: 'ERR_BLOCKED', syscall: 'connect', endpoint, errnoClass: 'denied', advice })
}
