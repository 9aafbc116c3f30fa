/** Errnos that Linux gives beyond those of the manual, but for those that need a namespace. */
import { spawnSync } from 'node:child_process'
import { chmodSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as posix from 'cancelpoint/posix'
import { inet, inetName, type Sockets, unix } from '../support/sockets.mjs'
import { answerOf, scriptPath } from './child.js'
import type { Lacking } from './documented.js'
import { type ByEngine, type Managers, type Observation, type Prepare, targetOf } from './observe.mjs'
import { asked, type Cell, connects, opens, ownDescriptors, type Row } from './row.js'

const nobody = 65_534

/** Connects to the path that `make` prepares, and opens it by a manager. */
function byPath(managers: Managers, make: (sockets: Sockets) => string) {
  return {
    ...connects((sockets, nonblocking) => {
      const address = unix(make(sockets))
      return { fd: sockets.open('unix', { nonblocking }), address }
    }),
    manager: opens(managers, (sockets) => ({ target: { path: make(sockets) } })),
  }
}

function absent(sockets: Sockets): string {
  return join(sockets.directory(), 'absent')
}

/** Root may open everything, so it is nobody for as long. */
function forbidden(sockets: Sockets): string {
  const path = join(sockets.directory(), 'forbidden')
  sockets.listener('unix', { address: unix(path) })
  chmodSync(path, 0)
  if (process.geteuid?.() === 0) {
    sockets.defer(() => process.seteuid?.(0))
    process.seteuid?.(nobody)
  }
  return path
}

function throughFile(sockets: Sockets): string {
  const file = join(sockets.directory(), 'file')
  writeFileSync(file, '')
  return join(file, 'socket')
}

function circle(sockets: Sockets): string {
  const path = join(sockets.directory(), 'circle')
  symlinkSync(path, path)
  return path
}

function datagrams(sockets: Sockets): string {
  const path = join(sockets.directory(), 'datagrams')
  sockets.bound('unix', { type: 'dgram', address: unix(path) })
  return path
}

const datagramToBroadcast: Prepare = (sockets, nonblocking) => {
  const fd = sockets.open('inet', { type: 'dgram', nonblocking })
  return { fd, address: inet(80, '127.255.255.255') }
}

const datagramToTaken: Prepare = async (sockets, nonblocking) => {
  const taken = sockets.bound('unix', { type: 'dgram' })
  await posix.connect(taken, posix.getsockname(sockets.bound('unix', { type: 'dgram' })))
  return { fd: sockets.open('unix', { type: 'dgram', nonblocking }), address: posix.getsockname(taken) }
}

const shortAddress: Prepare = (sockets, nonblocking) => ({
  fd: sockets.open('inet', { nonblocking }),
  address: { family: 2, bytes: Uint8Array.of(2, 0, 0, 80) },
})

const withoutScope = { family: 'inet6', address: 'fe80::1', port: 80 } as const

const fullBacklog: Prepare = async (sockets, nonblocking) => {
  const address = await sockets.full('unix')
  const fd = sockets.open('unix', { nonblocking })
  if (!nonblocking) posix.setOption(fd, 'sendTimeoutMs', 50)
  return { fd, address }
}

const noDatagramPort: Prepare = (sockets, nonblocking) => {
  const taken = inetName(sockets.bound('inet', { type: 'dgram' }))
  const fd = sockets.open('inet', { type: 'dgram', nonblocking })
  posix.setOption(fd, 'localPortRange', taken.port | (taken.port << 16))
  return { fd, address: inet(80) }
}

const peerReset: Prepare = async (sockets, nonblocking) => {
  const listener = sockets.listener('inet')
  const address = posix.getsockname(listener)
  const fd = sockets.open('inet', { nonblocking: true })
  await posix.connect(fd, address).catch(() => {})
  await posix.poll(fd, 'writable')
  // What waits in the queue of a listener that closes is reset.
  posix.close(listener)
  posix.setNonblocking(fd, nonblocking)
  return { fd, address }
}

export const withFewDescriptors = asked(() => {
  const command = 'ulimit -n 64; exec "$0" "$1"'
  const script = scriptPath('descriptors-child.mjs')
  return answerOf<{ socket: Observation; open: ByEngine }>('sh', ['-c', command, process.execPath, script])
})

export type Interrupted = Record<'inet' | 'unix' | 'inetAgain' | 'unixAgain', Observation> &
  Record<'openInet' | 'openUnix', ByEngine>

export const whileInterrupted: () => Promise<Interrupted> = asked(() =>
  answerOf<Interrupted>(process.execPath, [scriptPath('interrupted-child.mjs')], (child) => {
    let stopped = false
    const timer = setInterval(() => {
      stopped = !stopped
      child.kill(stopped ? 'SIGSTOP' : 'SIGCONT')
    }, 20)
    return () => clearInterval(timer)
  }),
)

const interrupted = (domain: 'inet' | 'unix'): Cell => ({
  observe: async () => (await whileInterrupted())[domain],
})

/** Lane and reactor go on with the time that is left. */
const goesOn = (open: 'openInet' | 'openUnix'): Cell => ({
  observe: async (engine) => (await whileInterrupted())[open][engine],
  differs: { code: 'ETIMEDOUT', errnoClass: 'timed-out', timedOutBy: 'deadline' },
})

export function beyondRows(managers: Managers, lacking: Lacking): Row[] {
  return [
    { code: 'ENOENT', errnoClass: 'refused', how: 'a path that is not there', ...byPath(managers, absent) },
    { code: 'EACCES', errnoClass: 'denied', how: 'a socket file without permission', ...byPath(managers, forbidden) },
    { code: 'ENOTDIR', errnoClass: 'misuse', how: 'a path through a file', ...byPath(managers, throughFile) },
    { code: 'ELOOP', errnoClass: 'misuse', how: 'a link to itself', ...byPath(managers, circle) },
    { code: 'EPROTOTYPE', errnoClass: 'misuse', how: 'a datagram socket’s path', ...byPath(managers, datagrams) },
    {
      code: 'EACCES',
      errnoClass: 'denied',
      how: 'a datagram socket to a broadcast address, without SO_BROADCAST',
      ...connects(datagramToBroadcast),
      manager: 'a manager makes stream sockets',
    },
    {
      code: 'EPERM',
      errnoClass: 'denied',
      how: 'a datagram socket to one that is connected elsewhere',
      ...connects(datagramToTaken),
      manager: 'a manager makes stream sockets',
    },
    {
      code: 'EINVAL',
      errnoClass: 'misuse',
      how: 'an address that is too short',
      ...connects(shortAddress),
      manager: 'a manager’s addresses are whole',
    },
    {
      code: 'EINVAL',
      errnoClass: 'misuse',
      how: 'a link-local address without its scope, which the kernel sends nothing to',
      skip: lacking.ipv6,
      ...connects((sockets, nonblocking) => ({ fd: sockets.open('inet6', { nonblocking }), address: withoutScope })),
      manager: opens(managers, () => ({ target: targetOf(withoutScope) })),
    },
    {
      code: 'EAGAIN',
      errnoClass: 'busy',
      how: 'AF_UNIX with a full backlog; blocking, SO_SNDTIMEO ends the wait',
      ...connects(fullBacklog),
      manager: opens(
        managers,
        async (sockets) => ({ target: targetOf(await sockets.full('unix')), options: { attemptTimeoutMs: 100 } }),
        // A lane waits for room, the nonblocking engine's too, so it is the deadline that ends it.
        { code: 'ETIMEDOUT', errnoClass: 'timed-out', timedOutBy: 'deadline' },
      ),
    },
    {
      code: 'EAGAIN',
      errnoClass: 'local',
      how: 'a datagram socket whose only port is taken',
      skip: lacking.localPortRange,
      ...connects(noDatagramPort),
      manager: 'a manager makes stream sockets',
    },
    {
      code: 'EINTR',
      errnoClass: 'pending',
      how: 'TCP: the process is stopped and continued, SO_SNDTIMEO being set',
      blocking: interrupted('inet'),
      nonblocking: 'nothing waits that could be interrupted',
      manager: goesOn('openInet'),
    },
    {
      code: 'EINTR',
      errnoClass: 'pending',
      how: 'AF_UNIX: the same',
      blocking: interrupted('unix'),
      nonblocking: 'nothing waits that could be interrupted',
      manager: goesOn('openUnix'),
    },
    {
      code: 'EMFILE',
      errnoClass: 'local',
      how: 'every descriptor that ulimit -n allows is open',
      blocking: { observe: async () => (await withFewDescriptors()).socket, differs: { syscall: 'socket' } },
      nonblocking: 'socket has no modes',
      manager: { observe: async (engine) => (await withFewDescriptors()).open[engine], differs: { syscall: 'socket' } },
    },
    {
      code: 'ECONNRESET',
      errnoClass: 'refused',
      how: 'a second connect after the peer has reset the first',
      ...connects(peerReset),
      manager: ownDescriptors,
    },
  ]
}

/** Why a kernel older than 6.3 cannot be given a socket's own port range. */
export function localPortRangeLack(): string | undefined {
  const fd = posix.socket('inet')
  try {
    posix.setOption(fd, 'localPortRange', 0)
    return undefined
  } catch {
    return `Linux ${spawnSync('uname', ['-r'], { encoding: 'utf8' }).stdout.trim()} has no IP_LOCAL_PORT_RANGE`
  } finally {
    posix.close(fd)
  }
}
