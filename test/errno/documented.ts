/** The errnos that the GNU C Library manual documents for connect, but for those that need a namespace. */
import { closeSync, constants, openSync } from 'node:fs'
import * as posix from 'cancelpoint/posix'
import { inet, inetName, type Sockets } from '../support/sockets.mjs'
import { type Managers, type Prepare, targetOf } from './observe.mjs'
import { calls, connects, connectsInBackground, opens, ownDescriptors, type Row, waitsForOutcome } from './row.js'

/** What this machine lacks: a reason, or undefined. */
export interface Lacking {
  ipv6?: string | undefined
  localPortRange?: string | undefined
}

/** An address of 127/8 to which there is no TCP route: it is the loopback's broadcast. */
const broadcast = inet(80, '127.255.255.255')
/** Reserved (RFC 1112), so no machine has it. It is only ever bound: no packet goes there. */
const nobodys = inet(0, '240.0.0.1')

const notOpen: Prepare = () => ({ fd: 0x7fff_ffff, address: inet(80) })

const file: Prepare = (sockets, nonblocking) => {
  const fd = openSync('/dev/null', constants.O_RDWR | (nonblocking ? constants.O_NONBLOCK : 0))
  sockets.defer(() => closeSync(fd))
  return { fd, address: inet(80) }
}

/** A port that is free now, and that nothing but the caller is likely to take at once. */
function freePort(): number {
  const fd = posix.socket('inet')
  posix.bind(fd, inet(0))
  const { port } = inetName(fd)
  posix.close(fd)
  return port
}

const onlyPort: Prepare = async (sockets, nonblocking) => {
  const address = inetName(sockets.listener('inet'))
  const port = freePort()
  const [first, second] = [sockets.open('inet'), sockets.open('inet', { nonblocking })]
  for (const fd of [first, second]) posix.setOption(fd, 'localPortRange', port | (port << 16))
  await posix.connect(first, address)
  return { fd: second, address }
}

/** A connection from a port that the test chose, so that a second one like it cannot be. */
async function connectionFrom(
  sockets: Sockets,
): Promise<{ source: posix.SocketAddress; port: number; address: posix.SocketAddress }> {
  const address = inetName(sockets.listener('inet'))
  const first = sockets.open('inet')
  posix.setOption(first, 'reuseAddr', 1)
  posix.bind(first, inet(0))
  const source = inetName(first)
  await posix.connect(first, address)
  return { source, port: source.port, address }
}

const sameFourNumbers: Prepare = async (sockets, nonblocking) => {
  const { source, address } = await connectionFrom(sockets)
  const fd = sockets.open('inet', { nonblocking })
  posix.setOption(fd, 'reuseAddr', 1)
  posix.bind(fd, source)
  return { fd, address }
}

const fixedAddress: Prepare = async (sockets, nonblocking) => {
  const { fd, address } = await onlyPort(sockets, nonblocking)
  posix.setOption(fd, 'bindAddressNoPort', 1)
  posix.bind(fd, inet(0))
  return { fd, address }
}

const unheardOfFamily: Prepare = (sockets, nonblocking) => ({
  fd: sockets.open('inet', { nonblocking }),
  address: { family: 99, bytes: Uint8Array.from([99, 0, ...Array(14).fill(0)]) },
})

const connected: Prepare = async (sockets, nonblocking) => {
  const address = posix.getsockname(sockets.listener('inet'))
  const fd = sockets.open('inet')
  await posix.connect(fd, address)
  posix.setNonblocking(fd, nonblocking)
  return { fd, address }
}

const patienceOver: Prepare = async (sockets, nonblocking) => {
  const address = await sockets.full('inet')
  const fd = sockets.open('inet', { nonblocking })
  posix.setOption(fd, 'userTimeoutMs', 500)
  return { fd, address }
}

const refused =
  (domain: 'inet' | 'inet6' | 'unix'): Prepare =>
  (sockets, nonblocking) => ({ fd: sockets.open(domain, { nonblocking }), address: sockets.refusing(domain) })

const noRoute: Prepare = (sockets, nonblocking) => ({ fd: sockets.open('inet', { nonblocking }), address: broadcast })

const underWay: Prepare = async (sockets, nonblocking) => {
  const address = await sockets.full('inet')
  const fd = sockets.open('inet', { nonblocking })
  if (!nonblocking) posix.setOption(fd, 'sendTimeoutMs', 50)
  return { fd, address }
}

const againUnderWay: Prepare = async (sockets, nonblocking) => {
  const prepared = await underWay(sockets, nonblocking)
  await posix.connect(prepared.fd, prepared.address).catch(() => {})
  return prepared
}

export function documentedRows(managers: Managers, lacking: Lacking): Row[] {
  const refusedBy = (domain: 'inet' | 'inet6' | 'unix') =>
    opens(managers, (sockets) => ({ target: targetOf(sockets.refusing(domain)) }))
  return [
    {
      code: 'EBADF',
      errnoClass: 'misuse',
      how: 'a number that is not open',
      ...connects(notOpen),
      nonblocking: 'what is not open has no mode',
      manager: ownDescriptors,
    },
    { code: 'ENOTSOCK', errnoClass: 'misuse', how: 'a file', ...connects(file), manager: ownDescriptors },
    {
      code: 'EADDRNOTAVAIL',
      errnoClass: 'local',
      how: 'the only port of IP_LOCAL_PORT_RANGE is in use for that destination',
      skip: lacking.localPortRange,
      ...connects(onlyPort),
      manager: 'a range is the whole machine’s: in the namespace',
    },
    {
      code: 'EADDRNOTAVAIL',
      errnoClass: 'misuse',
      how: 'the same with a source address that the caller fixed: another might do',
      skip: lacking.localPortRange,
      ...connects(fixedAddress),
      manager: 'a range is the whole machine’s: in the namespace',
    },
    {
      code: 'EADDRNOTAVAIL',
      errnoClass: 'misuse',
      how: 'the source that the caller fixed has a connection there already',
      ...connects(sameFourNumbers),
      manager: opens(managers, async (sockets) => {
        const { port, address } = await connectionFrom(sockets)
        return { target: targetOf(address), options: { localAddress: '127.0.0.1', localPort: port } }
      }),
    },
    {
      code: 'EADDRNOTAVAIL',
      errnoClass: 'misuse',
      how: 'the source that the caller fixed is not this machine’s',
      ...calls('bind', (sockets) => posix.bind(sockets.open('inet'), nobodys)),
      manager: opens(
        managers,
        (sockets) => ({ target: targetOf(sockets.refusing('inet')), options: { localAddress: nobodys.address } }),
        { syscall: 'bind' },
      ),
    },
    {
      code: 'EAFNOSUPPORT',
      errnoClass: 'misuse',
      how: 'an address of another family than the socket’s',
      ...connects(unheardOfFamily),
      manager: 'a manager looks at the family of a source before the kernel does',
    },
    {
      code: 'EISCONN',
      errnoClass: 'misuse',
      how: 'a connected socket',
      ...connects(connected),
      manager: ownDescriptors,
    },
    {
      code: 'ETIMEDOUT',
      errnoClass: 'timed-out',
      how: 'TCP_USER_TIMEOUT before a listener that hangs; by a manager, its deadline',
      ...connectsInBackground(patienceOver),
      manager: opens(
        managers,
        async (sockets) => ({ target: targetOf(await sockets.full('inet')), options: { attemptTimeoutMs: 100 } }),
        { timedOutBy: 'deadline' },
      ),
    },
    {
      code: 'ETIMEDOUT',
      errnoClass: 'timed-out',
      how: 'the whole call’s deadline',
      blocking: 'a call of the documented function has none',
      nonblocking: 'a call of the documented function has none',
      manager: opens(
        managers,
        async (sockets) => ({ target: targetOf(await sockets.full('inet')), options: { timeoutMs: 100 } }),
        { timedOutBy: 'deadline' },
      ),
    },
    {
      code: 'ECONNREFUSED',
      errnoClass: 'refused',
      how: 'a TCP port that nobody listens on',
      ...connectsInBackground(refused('inet')),
      manager: refusedBy('inet'),
    },
    {
      code: 'ECONNREFUSED',
      errnoClass: 'refused',
      how: 'the same over IPv6',
      skip: lacking.ipv6,
      ...connectsInBackground(refused('inet6')),
      manager: refusedBy('inet6'),
    },
    {
      code: 'ECONNREFUSED',
      errnoClass: 'refused',
      how: 'an AF_UNIX name that nobody listens on',
      ...connects(refused('unix')),
      manager: refusedBy('unix'),
    },
    {
      code: 'ENETUNREACH',
      errnoClass: 'unreachable',
      how: 'TCP to the broadcast address of 127/8',
      ...connects(noRoute),
      manager: opens(managers, () => ({ target: targetOf(broadcast) })),
    },
    {
      code: 'EINPROGRESS',
      errnoClass: 'pending',
      how: 'a listener that hangs; blocking, SO_SNDTIMEO ends the wait',
      ...connects(underWay),
      manager: waitsForOutcome,
    },
    {
      code: 'EALREADY',
      errnoClass: 'pending',
      how: 'a second connect while the first is under way',
      ...connects(againUnderWay),
      manager: ownDescriptors,
    },
    {
      code: 'EADDRINUSE',
      errnoClass: 'misuse',
      how: 'a source port that somebody listens on',
      ...calls('bind', (sockets) => {
        const taken = posix.getsockname(sockets.listener('inet'))
        posix.bind(sockets.open('inet'), taken)
      }),
      manager: opens(
        managers,
        (sockets) => {
          const { port } = inetName(sockets.listener('inet'))
          return { target: targetOf(sockets.refusing('inet')), options: { localAddress: '127.0.0.1', localPort: port } }
        },
        { syscall: 'bind' },
      ),
    },
  ]
}
