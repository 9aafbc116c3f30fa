// @ts-check
/**
 * Runs in a network namespace of its own (namespace.ts): what only routes, rules and settings of a whole machine
 * bring about. Prints, as JSON, each recipe's observations by its name, or why the recipe could not be set up.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import * as posix from 'cancelpoint/posix'
import { inet, inet6, inetName } from '../support/sockets.mjs'
import {
  closeManagers,
  observeCompletion,
  observeConnect,
  observeOpenAtOnce,
  openManagers,
  targetOf,
} from './observe.mjs'

/** @typedef {import('./observe.mjs').Prepare} Prepare */
/**
 * @typedef {object} Recipe
 * @property {() => unknown} setUp
 * @property {Prepare} prepare
 * @property {boolean} [inBackground] a nonblocking connect says EINPROGRESS first
 * @property {boolean} [managerOnly] on a descriptor of one's own an option does the same, without a namespace
 */

/** @param {string} command */
function run(command) {
  const [program = '', ...parts] = command.split(' ')
  execFileSync(program, parts, { stdio: ['ignore', 'ignore', 'pipe'] })
}

/** @type {(name: string, value: string | number) => void} */
const setting = (name, value) => writeFileSync(`/proc/sys/net/${name}`, `${value}`)

/** @type {(address: string) => Prepare} */
const inetTo = (address) => (sockets, nonblocking) => ({
  fd: sockets.open('inet', { nonblocking }),
  address: inet(80, address),
})

/** A route of this kind to a network of its own, and a connect into it. @type {(kind: string, network: number) => Recipe} */
const route = (kind, network) => ({
  setUp: () => run(`ip route add ${kind} 10.${network}.0.0/16`),
  prepare: inetTo(`10.${network}.0.1`),
})

/** A link-local address of `lo`, whose index is 1. @type {(zone: string | number) => Recipe} */
const scope = (zone) => ({
  setUp: async () => {
    run('ip addr replace fe80::1/64 dev lo nodad')
    // The kernel adds the route a little later.
    const route = 'fe800000000000000000000000000001 80'
    for (let tries = 0; !readFileSync('/proc/net/ipv6_route', 'utf8').includes(route); tries++) {
      if (tries === 1000) throw new Error('the kernel has added no route to fe80::1')
      await setTimeout(5)
    }
  },
  prepare: (sockets, nonblocking) => {
    const { port } = inetName(sockets.listener('inet6', { address: inet6(0, 'fe80::1%1') }))
    return { fd: sockets.open('inet6', { nonblocking }), address: inet6(port, `fe80::1%${zone}`) }
  },
  inBackground: true,
})

const onlyPort = 40_000

/** @type {Record<string, Recipe>} */
const recipes = {
  unreachable: route('unreachable', 1),
  prohibit: route('prohibit', 2),
  blackhole: route('blackhole', 3),
  throw: route('throw', 4),
  noRoute: { setUp: () => {}, prepare: inetTo('10.9.0.1') },
  policy: {
    setUp: () => {
      for (const device of ['all', 'lo']) setting(`ipv4/conf/${device}/disable_xfrm`, 0)
      run('ip addr add 10.5.0.1/32 dev lo')
      run('ip xfrm policy add dst 10.5.0.1/32 dir out action block')
    },
    prepare: inetTo('10.5.0.1'),
  },
  patience: {
    setUp: () => setting('ipv4/tcp_syn_retries', 1),
    prepare: async (sockets, nonblocking) => {
      const address = await sockets.full('inet')
      return { fd: sockets.open('inet', { nonblocking }), address }
    },
    managerOnly: true,
  },
  drop: {
    setUp: () => {
      setting('ipv4/tcp_syn_retries', 1)
      run('ip addr add 10.6.0.1/32 dev lo')
      run('nft add table ip test')
      run('nft add chain ip test output { type filter hook output priority 0 ; }')
      run('nft add rule ip test output ip daddr 10.6.0.1 drop')
    },
    prepare: async (sockets, nonblocking) => {
      const prepared = await inetTo('10.6.0.1')(sockets, nonblocking)
      posix.setOption(prepared.fd, 'userTimeoutMs', 500)
      return prepared
    },
    inBackground: true,
  },
  scopeByNumber: scope(1),
  scopeByName: { ...scope('lo'), managerOnly: true },
  familyOff: {
    setUp: () => setting('ipv6/conf/all/disable_ipv6', 1),
    prepare: (sockets, nonblocking) => ({ fd: sockets.open('inet6', { nonblocking }), address: inet6(80) }),
  },
  onePort: {
    setUp: () => setting('ipv4/ip_local_port_range', `${onlyPort} ${onlyPort}`),
    prepare: async (sockets, nonblocking) => {
      const address = inetName(sockets.listener('inet', { address: inet(onlyPort - 1) }))
      const first = sockets.open('inet')
      await posix.connect(first, address)
      // Its closing would keep the only port in TIME_WAIT.
      posix.setOption(first, 'linger', 0)
      return { fd: sockets.open('inet', { nonblocking }), address }
    },
  },
}

/** @type {(recipe: Recipe, managers: import('./observe.mjs').Managers) => Promise<object>} */
async function runRecipe({ setUp, prepare, inBackground, managerOnly }, managers) {
  try {
    await setUp()
  } catch (error) {
    return { refused: reasonOf(/** @type {Error & { stderr?: Buffer }} */ (error)) }
  }
  const manager = await observeOpenAtOnce(managers, async (sockets) => ({
    target: targetOf((await prepare(sockets, false)).address),
  }))
  if (managerOnly) return { manager }
  return {
    blocking: await observeConnect(prepare, false),
    nonblocking: await (inBackground ? observeCompletion(prepare) : observeConnect(prepare, true)),
    manager,
  }
}

/** @type {(error: Error & { stderr?: Buffer }) => string} */
function reasonOf({ message, stderr }) {
  return stderr?.toString().trim().split('\n')[0] || message
}

run('ip link set lo up')
const managers = await openManagers()
/** @type {Record<string, object>} */
const observed = {}
for (const [name, recipe] of Object.entries(recipes)) observed[name] = await runRecipe(recipe, managers)
await closeManagers(managers)
console.log(JSON.stringify(observed))
