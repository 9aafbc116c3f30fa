// @ts-check
/**
 * One cell of the errno table, observed: what a connect came to, and what the process held before and after. As JSON can
 * carry it, because some recipes run in a child process.
 */
import { ConnectionManager, classify } from 'cancelpoint'
import * as posix from 'cancelpoint/posix'
import { codeOf } from '#internal/errors/errnos'
import { held } from '../support/held.mjs'
import { Sockets } from '../support/sockets.mjs'

/**
 * @typedef {object} Result
 * @property {string} code 'connected' where nothing failed
 * @property {number} [errno]
 * @property {string} [errnoClass]
 * @property {string} [syscall]
 * @property {string} [timedOutBy]
 * @property {string} [first] what the nonblocking call itself said, where `code` was found with poll and SO_ERROR
 *
 * @typedef {ReturnType<typeof held>} Held
 * @typedef {{ result: Result, before: Held, after: Held }} Observation
 * @typedef {{ fd: number, address: posix.SocketAddress }} Prepared
 * @typedef {(sockets: Sockets, nonblocking: boolean) => Prepared | Promise<Prepared>} Prepare
 * @typedef {{ target: import('cancelpoint').Target, options?: import('cancelpoint').ConnectOptions }} Asked
 * @typedef {Record<'blocking' | 'nonblocking', import('cancelpoint').ConnectionManager>} Managers
 * @typedef {Record<keyof Managers, Observation>} ByEngine
 */

/**
 * A manager of each engine, warm. Retries have tests of their own; here each errno is to come through.
 * @returns {Promise<Managers>}
 */
export async function openManagers() {
  const blocking = new ConnectionManager({ retry: false, engine: 'blocking' })
  const nonblocking = new ConnectionManager({ retry: false, engine: 'nonblocking' })
  await warmUp(blocking)
  await warmUp(nonblocking)
  // An AF_UNIX backlog that is full takes it to its lanes.
  await warmUp(nonblocking, 'blocking')
  return { blocking, nonblocking }
}

/** @param {Managers} managers */
export async function closeManagers({ blocking, nonblocking }) {
  await blocking.close()
  await nonblocking.close()
}

/**
 * @param {() => unknown} call
 * @returns {Promise<Result>}
 */
export async function resultOf(call) {
  try {
    await call()
    return { code: 'connected' }
  } catch (error) {
    const { code, errno, errnoClass, syscall, timedOutBy } = /** @type {import('cancelpoint').ConnectError} */ (error)
    if (code === undefined) throw error
    return timedOutBy ? { code, errno, errnoClass, syscall, timedOutBy } : { code, errno, errnoClass, syscall }
  }
}

/**
 * @param {(sockets: Sockets) => Promise<Result>} run
 * @returns {Promise<Observation>}
 */
export async function observe(run) {
  const before = held()
  const sockets = new Sockets()
  let result
  try {
    result = await run(sockets)
  } finally {
    sockets.close()
  }
  return { result, before, after: held() }
}

/**
 * posix.connect on a descriptor of that mode.
 * @param {Prepare} prepare
 * @param {boolean} nonblocking
 */
export function observeConnect(prepare, nonblocking) {
  return observe(async (sockets) => {
    const { fd, address } = await prepare(sockets, nonblocking)
    return resultOf(() => posix.connect(fd, address))
  })
}

/**
 * A nonblocking connect that goes on in the background, followed to its end as the manual has it.
 * @param {Prepare} prepare
 */
export function observeCompletion(prepare) {
  return observe(async (sockets) => {
    const { fd, address } = await prepare(sockets, true)
    const first = await resultOf(() => posix.connect(fd, address))
    await posix.poll(fd, 'writable')
    const errno = posix.socketError(fd)
    if (errno === 0) return { code: 'connected', first: first.code }
    return { code: codeOf(errno), errno, errnoClass: classify(errno), syscall: 'connect', first: first.code }
  })
}

/**
 * The same by a manager's `open`; what it opens is closed.
 * @param {ConnectionManager} manager
 * @param {(sockets: Sockets) => Asked | Promise<Asked>} prepare
 */
export function observeOpen(manager, prepare) {
  return observe(async (sockets) => {
    const { target, options } = await prepare(sockets)
    return resultOf(async () => (await manager.open(target, options)).close())
  })
}

/**
 * By both engines at once, so that what managers wait out is waited for once; they share the counts.
 * @param {Managers} managers
 * @param {(sockets: Sockets) => Asked | Promise<Asked>} prepare
 * @returns {Promise<ByEngine>}
 */
export async function observeOpenAtOnce(managers, prepare) {
  const before = held()
  const sockets = new Sockets()
  let results
  try {
    const { target, options } = await prepare(sockets)
    /** @param {ConnectionManager} manager */
    const open = (manager) => resultOf(async () => (await manager.open(target, options)).close())
    results = await Promise.all([open(managers.blocking), open(managers.nonblocking)])
  } finally {
    sockets.close()
  }
  const after = held()
  const [blocking, nonblocking] = results
  return { blocking: { result: blocking, before, after }, nonblocking: { result: nonblocking, before, after } }
}

/**
 * Lets what is made once be made: workers, lanes, and the descriptors these keep.
 * @param {ConnectionManager} manager
 * @param {import('cancelpoint').ConnectOptions['engine']} [engine]
 */
export function warmUp(manager, engine) {
  return observe(async (sockets) => {
    const address = /** @type {{ port: number }} */ (posix.getsockname(sockets.listener('inet')))
    await posix.connect(sockets.open('inet'), /** @type {posix.SocketAddress} */ (address))
    return resultOf(async () =>
      (await manager.open({ host: '127.0.0.1', port: address.port }, engine && { engine })).close(),
    )
  })
}

/** @param {posix.SocketAddress} address */
export function targetOf(address) {
  if ('path' in address) return { path: address.path }
  if ('port' in address) return { host: address.address, port: address.port }
  throw new Error(`no target has the family ${address.family}`)
}
