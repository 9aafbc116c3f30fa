// @ts-check
/** cancelpoint with one engine, as recipes use it. The shared manager, which they have otherwise, leaves the choice to itself. */
import { ConnectionManager } from 'cancelpoint'
import * as http from 'cancelpoint/http'
import * as net from 'cancelpoint/net'
import * as undici from 'cancelpoint/undici'

/** @param {import('cancelpoint').EngineName} engine */
export function over(engine) {
  const manager = new ConnectionManager({ engine })

  class Agent extends http.Agent {
    /** @param {import('cancelpoint/http').AgentOptions} options */
    constructor(options) {
      super({ manager, ...options })
    }
  }

  return {
    connect: manager.connect.bind(manager),
    /** @param {any} to @param {any} [more] @param {any} [listener] */
    createConnection: (to, more, listener) =>
      typeof to === 'string'
        ? net.createConnection(to, { manager, ...more }, listener)
        : net.createConnection({ manager, ...to }, more),
    Agent,
    /** @param {import('cancelpoint/undici').ConnectorOptions} options */
    connector: (options) => undici.connector({ manager, ...options }),
  }
}
