/**
 * looking-up HOW COUNT PORT, in a mount namespace whose resolv.conf names the bench's own server: looks up so many names, and
 * checks them or does not, and prints what that took as a line of JSON.
 */
import { promises as dns } from 'node:dns'
import { ConnectionManager } from '../../src/index.js'

const [how, given, port] = process.argv.slice(2) as [keyof typeof ways, string, string]
const count = Number(given)
/** As many as cancelpoint has under way, which is what name servers' receive buffers hold. */
const atOnce = 200

function* names(): Generator<string> {
  for (let i = 0; i < count; i++) yield `n${i}.fleet.test`
}

async function resolveAll(questions: (resolver: dns.Resolver, name: string) => Promise<unknown>): Promise<void> {
  const resolver = new dns.Resolver()
  const source = names()
  const loop = async () => {
    for (const name of { [Symbol.iterator]: () => ({ next: () => source.next() }) }) await questions(resolver, name)
  }
  await Promise.all(Array.from({ length: atOnce }, loop))
}

const unlessNone = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENODATA') throw error
}

const ways = {
  a: () => resolveAll((resolver, name) => resolver.resolve4(name)),
  both: () =>
    resolveAll((resolver, name) => Promise.all([resolver.resolve4(name), resolver.resolve6(name).catch(unlessNone)])),
  async check() {
    await using manager = new ConnectionManager()
    const targets = (function* () {
      for (const name of names()) yield `${name}:${port}`
    })()
    for await (const { code, target } of manager.check(targets))
      if (code !== 'ECONNREFUSED') throw new Error(`${target}: ${code}`)
  },
}

const [startedAt, cpu] = [performance.now(), process.cpuUsage()]
await ways[how]()
const seconds = (performance.now() - startedAt) / 1_000
const { user, system } = process.cpuUsage(cpu)
console.log(JSON.stringify({ perSecond: count / seconds, cpuUs: (user + system) / count }))
