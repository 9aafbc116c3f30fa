/**
 * `node --import cancelpoint/register app.js`: every net.Socket of the process connects by cancelpoint, those of TLS, HTTP and
 * fetch included. All of them pass Node's `connect` of net.Socket, which is what this replaces. A socket whose handle is
 * neither Node's TCP nor its Pipe goes Node's own way.
 */
import net from 'node:net'

import type { ConnectionManager } from '../manager.js'

type Connect = (this: net.Socket, ...given: unknown[]) => net.Socket

/** One in a realm, whatever the number of copies and imports: what takes it away again. */
const registered: unique symbol = Symbol.for('cancelpoint.register') as never
const realm: { [registered]?: (() => void) | undefined } = globalThis as never

/** Gives Node its own connects back; what is under way goes on as it began. */
export function unregister(): void {
  realm[registered]?.()
}

const variable = 'CANCELPOINT_REGISTER'

if (!realm[registered]) await register()

async function register(): Promise<void> {
  const loaded = await Promise.all([import('./net.js'), import('./net-options.js'), import('../manager.js')]).catch(
    ({ message }: Error) => {
      process.emitWarning(`cancelpoint/register leaves all connects to Node.js: ${message}`, 'CancelpointWarning')
    },
  )
  if (!loaded) return
  const [{ connectThrough }, { nodesArguments, wayOf }, { ConnectionManager }] = loaded
  const manager = managerOf(process.env[variable], ConnectionManager)
  const nodes = net.Socket.prototype.connect as Connect
  const connect: Connect = function (...given) {
    if (realm[registered] !== takeAway) return nodes.apply(this, given)
    const { options, listener } = nodesArguments(given)
    const { blockList = (this as { blockList?: net.BlockList }).blockList } = options
    return connectThrough(nodes, this, options, listener, () => wayOf({ ...options, blockList, manager }))
  }
  const takeAway = () => {
    realm[registered] = undefined
    // Another package may have wrapped it since. Then it stays, and hands each call on to Node's.
    if ((net.Socket.prototype.connect as Connect) === connect) net.Socket.prototype.connect = nodes as never
  }
  Object.defineProperty(realm, registered, { value: takeAway, writable: true, configurable: true })
  net.Socket.prototype.connect = connect as never
}

/** @throws TypeError that names the variable, what stands in it and what was expected. */
function managerOf(json: string | undefined, Manager: typeof ConnectionManager): ConnectionManager | undefined {
  if (json === undefined || json === '') return undefined
  let options: object
  try {
    options = JSON.parse(json)
  } catch {
    throw new TypeError(`${variable} is '${json}': expected JSON such as {"engine":"blocking"}`)
  }
  try {
    return new Manager(options)
  } catch (error) {
    throw new TypeError(`${variable}: ${(error as Error).message}`, { cause: error })
  }
}
