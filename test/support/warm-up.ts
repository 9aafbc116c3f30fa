/** Opens once what the pool, the resolver and libuv open for good, so that counts compare afterwards. */
import { ConnectionManager } from 'cancelpoint'
import { closed } from '#internal/secure'

/** A manager whose worker runs and whose first connect, to `accepting`, is done. */
export async function warmManager(accepting: string, options: ConstructorParameters<typeof ConnectionManager>[0] = {}) {
  const manager = new ConnectionManager({ retry: false, ...options })
  await closed(await manager.connect(accepting))
  return manager
}
