/** Opens once what the pool, the resolver and libuv open for good, so that counts compare afterwards. */
import { ConnectionManager, type ManagerOptions } from 'cancelpoint'
import { closeSocket } from '#internal/bridge/descriptor'

/** What tables run over. */
export { engineNames as engines } from '#internal/types'

/**
 * A manager, of lanes unless told otherwise, whose first connect to `accepting` is done, on its own engine and on lanes: a full AF_UNIX backlog takes the
 * nonblocking one there.
 */
export async function warmManager(accepting: string, options: ManagerOptions = {}) {
  const manager = new ConnectionManager({ retry: false, engine: 'blocking', ...options })
  for (const engine of new Set(['blocking', options.engine ?? 'blocking'] as const))
    await closeSocket(await manager.connect(accepting, { engine }))
  if (options.engine === 'nonblocking') await startReactors(manager)
  return manager
}

/** So many at once that there is a second reactor, which vitest.config.ts allows. */
async function startReactors(manager: ConnectionManager): Promise<void> {
  const refusing = Array.from({ length: 64 }, () => '127.0.0.1:1')
  for await (const _ of manager.check(refusing, { engine: 'nonblocking', retry: false }));
}
