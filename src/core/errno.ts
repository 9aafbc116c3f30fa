/** Errno classes: what an errno says about whose fault it is, and so what to do about it. */
import { type Advice, adviseTls } from './advice.js'

export type ErrnoClass =
  | 'pending'
  | 'refused'
  | 'timed-out'
  | 'unreachable'
  | 'local'
  | 'busy'
  | 'denied'
  | 'name'
  | 'protocol'
  | 'misuse'
  | 'unknown'

/** What was asked for, where the same errno has several meanings. */
export interface ErrnoContext {
  family?: 'inet' | 'inet6' | 'unix' | undefined
  /** The caller asked for a source address or port. */
  localFixed?: boolean | undefined
  /** The machine has the endpoint's family switched off, or has no address of it. */
  familyDisabled?: boolean | undefined
  /** The call that said it: socket, bind, connect, getpeername, tls ... Without it connect is taken to have. */
  call?: string | undefined
}

/** What each class says, and what the supervisor does about it. */
export const classes: Readonly<Record<ErrnoClass, { says: string; supervisor: string }>> = {
  pending: { says: 'not an outcome yet', supervisor: 'waits for the outcome' },
  refused: { says: 'the host answered, the service did not', supervisor: 'retries with backoff' },
  'timed-out': { says: 'nobody answered', supervisor: 'retries, few times' },
  unreachable: { says: 'no way there', supervisor: 'retries slowly' },
  local: { says: 'this machine is out of something', supervisor: 'does less at once, tries again, blames no target' },
  busy: { says: 'the listener’s backlog is full', supervisor: 'waits on a lane, where it can be waited for' },
  denied: { says: 'policy says no', supervisor: 'gives up' },
  name: { says: 'the name, not the host', supervisor: 'retries where the name server may yet answer' },
  protocol: { says: 'connected, and then not what was wanted', supervisor: 'retries with backoff' },
  misuse: { says: 'a mistake in the call', supervisor: 'gives up at once, loudly' },
  unknown: { says: 'no word on whose fault it is', supervisor: 'gives up, names the code' },
}

type Row = [code: string, errnoClass: ErrnoClass, means: string, remedy: string, supervisor?: string]

/** What a code says where nothing more is known. */
// biome-ignore format: a table reads by rows
const rows: readonly Row[] = [
  ['EINPROGRESS', 'pending', 'The connection is being made in the background.', 'Wait until the descriptor is writable, then ask for its error.'],
  ['EALREADY', 'pending', 'An earlier connect on this descriptor is still under way.', 'Wait for that one; do not ask again.'],
  ['EINTR', 'pending', 'A signal woke the call before it had an answer; TCP goes on connecting.', 'Wait for the outcome on the same descriptor.'],

  ['ECONNREFUSED', 'refused', 'Nothing listens there.', 'Start the service or check the port.'],
  ['ECONNRESET', 'refused', 'The other side cut the connection off.', 'Look in the service’s log for why it hung up.'],
  ['ECONNABORTED', 'refused', 'The connection was dropped before it was in use.', 'Look in the service’s log, and at what stands between.'],
  ['EPIPE', 'refused', 'The other side had already closed.', 'Look in the service’s log for why it hung up.'],
  ['ENOENT', 'refused', 'No socket file has that path.', 'Start the service or correct the path.'],

  ['ETIMEDOUT', 'timed-out', 'Nobody answered in time.', 'Check that the host is up and that no firewall drops the packets.'],

  ['ENETUNREACH', 'unreachable', 'There is no route to that network.', 'Check the address and this machine’s routes.'],
  ['EHOSTUNREACH', 'unreachable', 'A router, or this machine, finds no way to that host.', 'Check that the host is up and the route to it.'],
  ['EHOSTDOWN', 'unreachable', 'The host does not answer on its link.', 'Start the host or check its cable and address.'],
  ['ENETDOWN', 'unreachable', 'The network interface is down.', 'Bring the interface up.'],
  ['ENONET', 'unreachable', 'This machine is on no network.', 'Bring a network interface up.'],

  ['EADDRNOTAVAIL', 'local', 'No local port is free for that destination.', 'Connect less often, or widen net.ipv4.ip_local_port_range.'],
  ['EMFILE', 'local', 'This process has no descriptor left.', 'Raise the limit (ulimit -n) or lower the concurrency.'],
  ['ENFILE', 'local', 'The whole machine has no descriptor left.', 'Raise fs.file-max or close what leaks descriptors.'],
  ['ENOBUFS', 'local', 'The kernel has no buffer space left for sockets.', 'Lower the concurrency or give the machine more memory.'],
  ['ENOMEM', 'local', 'The kernel has no memory left.', 'Lower the concurrency or give the machine more memory.'],
  ['ENOSPC', 'local', 'The kernel watches no more descriptors for this user.', 'Raise fs.epoll.max_user_watches or lower the concurrency.'],
  ['EAGAIN', 'local', 'Something needed to connect ran out for the moment.', 'Lower the concurrency; look at free ports and routing caches.'],
  ['ERR_POOL_FAILED', 'local', 'The threads that make attempts failed again and again.', 'Look at the cause for why, mend that, and make a new manager.', 'has closed the manager'],
  ['ERR_WORKER_ENDED', 'local', 'The thread that made the attempt was ended.', 'Try again; look for what terminates workers.'],

  ['EACCES', 'denied', 'A rule or a file’s permissions forbid it.', 'Check permissions on the path, firewall and routing rules.'],
  ['EPERM', 'denied', 'A firewall or security policy forbids it.', 'Check the local firewall and security policy.'],
  ['ERR_BLOCKED', 'denied', 'The block list bars that address.', 'Take the address off the block list, if it is to be reached.'],

  ['ENOTFOUND', 'name', 'No such name.', 'Check its spelling and its DNS records.'],
  ['EAI_AGAIN', 'name', 'The name servers gave no answer.', 'Try again later; check /etc/resolv.conf and that its servers are up.'],
  ['ERR_TOO_MANY_ADDRESSES', 'name', 'The name has more addresses than are tried.', 'Give the addresses themselves as targets, to try them all.'],

  ['EPROTO', 'protocol', 'What the other side said is not the protocol that was expected.', 'Check that the port is the right service’s, and whether it wants TLS.'],
  ['ERR_EXPECT', 'protocol', 'The peer did not say what was expected.', 'Check that the port is the right service’s, and what the service answers.'],
  ['ERR_STARTTLS', 'protocol', 'The peer had sent more than its answer before TLS began, which may have been smuggled in.', 'Look at what stands between, and at the service’s own handling of STARTTLS.'],
  ['ERR_CERT_EXPIRING', 'protocol', 'The certificate ends sooner than it may.', 'Renew the certificate, and have the service load it.'],
  ['ERR_ALPN', 'protocol', 'The other side agreed to none of the protocols that ALPN asks for.', 'Have the service offer one of them, or ask for none.'],

  ['EADDRINUSE', 'misuse', 'The source address and port are in use already.', 'Leave the source port to the kernel or choose a free one.'],
  ['EBADF', 'misuse', 'That number is not an open descriptor.', 'Connect before closing, and look for a second close.'],
  ['ENOTSOCK', 'misuse', 'That descriptor is open, but is no socket.', 'Give the descriptor that socket() returned.'],
  ['EAFNOSUPPORT', 'misuse', 'The address is of a family that this socket or machine does not take.', 'Make the socket of the address’s family.'],
  ['EISCONN', 'misuse', 'The socket is connected already.', 'Use it, or make a new one for another connection.'],
  ['EINVAL', 'misuse', 'The kernel takes no such address, length or state; a blackhole route says this too.', 'Check the address as given, and the routes to it.'],
  ['EFAULT', 'misuse', 'The address lies outside the memory of this process.', 'Report this as a bug.'],
  ['EPROTOTYPE', 'misuse', 'The socket file is of another type: stream against datagram.', 'Make a socket of the type the listener has.'],
  ['ENAMETOOLONG', 'misuse', 'The path is longer than a socket address holds.', 'Use a path of at most 107 bytes.'],
  ['ENOTDIR', 'misuse', 'A part of the path is not a directory.', 'Correct the path.'],
  ['ELOOP', 'misuse', 'The path goes through too many symbolic links.', 'Correct the links on the path.'],
  ['EPROTONOSUPPORT', 'misuse', 'The family has no such protocol.', 'Ask for a stream or datagram socket of a known family.'],
  ['ESOCKTNOSUPPORT', 'misuse', 'The family has no such type of socket.', 'Ask for a stream or datagram socket of a known family.'],
  ['ENOTSUP', 'misuse', 'That kind of socket cannot do this; one that listens cannot connect.', 'Use a new socket to connect.'],
  ['ENOPROTOOPT', 'misuse', 'The kernel knows no such socket option.', 'Leave the option out or use a newer kernel.'],
  ['ENOTCONN', 'misuse', 'The socket is not connected.', 'Connect it first, and wait for the outcome.'],
  ['EDESTADDRREQ', 'misuse', 'The call needs an address and was given none.', 'Give the address to connect to.'],
  ['ERR_INVALID_TARGET', 'misuse', 'What was given is no target or address.', 'Write host:port, [IPv6 address]:port, unix:/path or unix:@name.'],
  ['ERR_MANAGER_CLOSED', 'misuse', 'The call was made after the manager’s close.', 'Make a new ConnectionManager, or close this one later.'],

  ['ERR_CHECK', 'unknown', 'The check of that target failed with an error that is none of connecting.', 'Read the reason in its result: a lookup of yours may have thrown.'],
  ['ABORT_ERR', 'unknown', 'The call was cancelled, by its signal or by the manager’s close.', 'Nothing: that was asked for.', 'has released what the call held'],
]

/** What a code says instead where it has turned out to be of another class. */
// biome-ignore format: a table reads by rows
const otherMeanings: readonly Row[] = [
  ['EADDRNOTAVAIL', 'misuse', 'The source address or port asked for cannot be used.', 'Ask for an address that this machine has, and a port that is free.'],
  ['EADDRNOTAVAIL', 'unreachable', 'This machine has no address of the kind that destination needs.', 'Enable the family, or use an address of the other one.'],
  ['ENOPROTOOPT', 'refused', 'The host answered that it does not speak that protocol.', 'Check the address, and what answers for it: it sent ICMP protocol unreachable.'],
  ['EAFNOSUPPORT', 'unreachable', 'This machine has that address family switched off.', 'Enable the family, or use an address of the other one.'],
  ['EAGAIN', 'busy', 'The listener’s queue of waiting connections is full.', 'Let the service accept faster or give it a longer backlog.'],
]

function meaningIn(code: string, errnoClass: ErrnoClass): Row {
  return otherMeanings.find((row) => row[0] === code && row[1] === errnoClass)!
}

/** What a code says where a call other than connect(2) said it, or where connect says something else than the others. */
// biome-ignore format: a table reads by rows
const sayings: readonly [call: string, row: Row][] = [
  ['connect', meaningIn('ENOPROTOOPT', 'refused')],
  ['socket', meaningIn('EAFNOSUPPORT', 'unreachable')],
  ['socket', ['EACCES', 'denied', 'This process may not make sockets of that kind.', 'Check the process’s sandbox, its seccomp and security policies.']],
  ['socket', ['EPERM', 'denied', 'This process may not make sockets of that kind.', 'Check the process’s sandbox, its seccomp and security policies.']],
  ['bind', ['EACCES', 'denied', 'That source port takes a privilege.', 'Ask for a source port from 1024 up, or give the process CAP_NET_BIND_SERVICE.']],
  ['bind', ['EINVAL', 'misuse', 'The source address does not fit the socket.', 'Give a localAddress of the target’s family and scope.']],
  ['bind', meaningIn('EADDRNOTAVAIL', 'misuse')],
  ['pthread_create', ['EAGAIN', 'local', 'This machine starts no more threads.', 'Lower lanes, or raise the limit on threads (ulimit -u, pids.max).']],
  ['tls', ['ETIMEDOUT', 'timed-out', 'The TLS handshake did not end in time.', 'Check that the port speaks TLS, and that the service keeps up.']],
  ['tls', ['ECONNRESET', 'refused', 'The other side cut the connection off in the TLS handshake.', 'Check that the port speaks TLS, and look in the service’s log.']],
  ['tls', ['EPIPE', 'refused', 'The other side cut the connection off in the TLS handshake.', 'Check that the port speaks TLS, and look in the service’s log.']],
]

type Entry = Advice & { errnoClass: ErrnoClass }

/** The table, by code: what each says where nothing more is known. */
export const codes: ReadonlyMap<string, Entry> = new Map(rows.map((row) => [row[0], entryOf(row)]))

function entryOf([, errnoClass, means, remedy, supervisor]: Row): Entry {
  return { errnoClass, means, remedy, supervisor }
}

/** What name servers and resolvers say beside those, in c-ares's words and getaddrinfo's. */
const resolverCode =
  /^(EAI_\w+|ENODATA|EFORMERR|ESERVFAIL|ENOTIMP|EREFUSED|EBADQUERY|EBADNAME|EBADFAMILY|EBADRESP|ETIMEOUT|EBADSTR|ENONAME)$/

const resolverEntry: Entry = {
  errnoClass: 'name',
  means: 'The resolver came to no address.',
  remedy: 'Check the name and its DNS records, /etc/resolv.conf and that its servers are up.',
}

function entryFor(code: string): Entry | undefined {
  const known = codes.get(code)
  if (known) return known
  if (resolverCode.test(code)) return resolverEntry
  const advice = adviseTls(code)
  return advice && { errnoClass: 'protocol', ...advice }
}

/** Second names of one number. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['EWOULDBLOCK', 'EAGAIN'],
  ['EOPNOTSUPP', 'ENOTSUP'],
])

/** The class of a code, told from what was asked for where the code alone does not tell. Unheard-of codes are `unknown`. */
export function classOf(given: string, { family, localFixed, familyDisabled, call }: ErrnoContext = {}): ErrnoClass {
  const code = aliases.get(given) ?? given
  const said = sayingOf(code, call)
  if (said) return said[1]
  const byConnect = call === undefined || call === 'connect'
  if (code === 'EAGAIN') return family === 'unix' && byConnect ? 'busy' : 'local'
  if (code === 'EADDRNOTAVAIL') return localFixed ? 'misuse' : familyDisabled ? 'unreachable' : 'local'
  if (code === 'ENOENT' && (!byConnect || (family !== undefined && family !== 'unix'))) return 'unknown'
  return entryFor(code)?.errnoClass ?? 'unknown'
}

/**
 * What a code means in a class, and what to do; undefined for a code that is not in the table. `call`: the one that said
 * it, where that is known.
 */
export function advise(code: string, errnoClass: ErrnoClass, call?: string): Advice | undefined {
  const said = sayingOf(code, call)
  if (said) return entryOf(said)
  const other = otherMeanings.find((row) => row[0] === code && row[1] === errnoClass)
  return other ? entryOf(other) : entryFor(code)
}

function sayingOf(code: string, call: string | undefined): Row | undefined {
  return call === undefined ? undefined : sayings.find(([by, row]) => by === call && row[0] === code)?.[1]
}
