/** connect() for those who need no manager of their own. */
import type { Socket } from 'node:net'

import { ConnectionManager } from './manager.js'
import type { ConnectOptions, Target } from './types.js'

let manager: ConnectionManager | undefined

/**
 * ConnectionManager.connect over a manager that the process shares. Idle, it keeps nothing alive: its lanes retire, and
 * its workers do not hold the event loop.
 */
export function connect(target: Target, options?: ConnectOptions): Promise<Socket> {
  return sharedManager().connect(target, options)
}

/** Another takes the place of one that closed itself because its workers or lanes failed. */
export function sharedManager(): ConnectionManager {
  if (!manager || manager.closed) manager = new ConnectionManager()
  return manager
}
