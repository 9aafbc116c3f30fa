/** A real name server, dnsmasq, on loopback and in the foreground; its upstream is a NameServer, for what it cannot do by itself. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { userInfo } from 'node:os'
import { createInterface } from 'node:readline'

/** Debian puts it where only root looks. */
const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` }

/** Why tests with it are skipped here, or undefined. */
export const lackingDnsmasq =
  spawnSync('dnsmasq', ['--version'], { env }).status === 0 ? undefined : 'no dnsmasq here (Debian: dnsmasq-base)'

const common = [
  '--no-daemon',
  '--conf-file=/dev/null',
  '--pid-file=',
  '--no-resolv',
  '--no-hosts',
  '--bind-interfaces',
  '--listen-address=127.0.0.1',
  '--cache-size=0',
  `--user=${userInfo().username}`,
]

/** `options` are dnsmasq's own. The result's `servers` are as a Resolver takes them. */
export async function openDnsmasq(options: readonly string[]): Promise<{ servers: string[] } & AsyncDisposable> {
  const port = await freePort()
  const child = spawn('dnsmasq', [...common, `--port=${port}`, ...options], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'exit')
  const said: string[] = []
  const up = (async () => {
    for await (const line of createInterface({ input: child.stderr })) {
      said.push(line)
      if (line.includes('started, version')) return true
    }
    return false
  })()
  if (!(await up)) throw new Error(`dnsmasq did not start: ${said.join('; ')}`)
  // Nobody reads its later messages, but they must not fill the pipe.
  child.stderr.resume()
  return {
    servers: [`127.0.0.1:${port}`],
    async [Symbol.asyncDispose]() {
      child.kill()
      await ended
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
