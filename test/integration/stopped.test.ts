import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { constants } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import * as posix from 'cancelpoint/posix'
import { expect, it, onTestFinished } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { freshName, inet, Sockets } from '../support/sockets.mjs'

const fixture = fileURLToPath(new URL('./fixtures/stopped.mjs', import.meta.url))

/** What a full listener does while the process that connects to it is stopped. */
const fates = ['accepts', 'refuses', 'says nothing'] as const

/** A listener whose queue is full. That which says nothing is the test's to close, the others are closed on their way. */
async function full(sockets: Sockets, domain: 'inet' | 'unix', how: (typeof fates)[number]) {
  const listener = posix.socket(domain)
  if (how === 'says nothing') sockets.defer(() => posix.close(listener))
  posix.bind(listener, domain === 'inet' ? inet(0) : freshName())
  binding.listen(listener, 0)
  const address = posix.getsockname(listener)
  await posix.connect(sockets.open(domain), address)
  return { how, address, listener }
}

it('a process that is stopped until after the deadline tells what the target did, whichever engine', async () => {
  const sockets = new Sockets()
  onTestFinished(() => sockets.close())
  const targets: Awaited<ReturnType<typeof full>>[] = []
  for (const domain of ['inet', 'unix'] as const)
    for (const how of fates) targets.push(await full(sockets, domain, how))
  const timeoutMs = 1_800
  const asked = JSON.stringify([targets.map(({ how, address }) => ({ how, address })), timeoutMs])
  const child = spawn(process.execPath, [fixture, asked], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines = createInterface({ input: child.stdout })
  const next = async () => (await once(lines, 'line'))[0] as string
  expect(await next()).toBe('under way')

  const startedAt = performance.now()
  const at = (ms: number) => pause(ms - (performance.now() - startedAt))
  await at(200)
  child.kill('SIGSTOP')
  await at(500)
  // The kernel asks a TCP listener again a second after it was first asked.
  for (const { how, listener } of targets) {
    if (how === 'refuses') posix.close(listener)
    if (how === 'accepts') {
      const server = createServer((socket) => socket.resume()).listen({ fd: listener })
      onTestFinished(() => void server.close())
    }
  }
  await at(2_400)
  const told = next()
  child.kill('SIGCONT')

  const { ECONNREFUSED, ETIMEDOUT } = constants.errno
  const ends = {
    accepts: { state: 'connected' },
    refuses: { state: 'failed', errno: -ECONNREFUSED, byDeadline: false },
    'says nothing': { state: 'failed', errno: -ETIMEDOUT, byDeadline: true },
  }
  const expected = (['blocking', 'nonblocking'] as const).flatMap((engine) =>
    targets.map(({ how, address: { family } }) => ({ engine, family, how, ...ends[how] })),
  )
  expect(JSON.parse(await told)).toEqual(expected)
  await once(child, 'exit')
})
