/** `cancelpoint watch` with all that is beside it: what it knows outlives a SIGKILL, a webhook hears of each change, its files are read again. */
import { once } from 'node:events'
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadStates } from '#internal/cli/state/file'
import { Receiver, secret } from '../serve/webhook-support.js'
import { useStations } from '../support/stations.js'
import { type Run, run, start } from './run.js'

const stations = useStations()
const soon = { timeout: 20_000 }

let folder: string
let runs: Run[] = []
let receiver: Receiver
const at = (name: string) => join(folder, name)

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'cancelpoint-beside-'))
  writeFileSync(at('secret'), `${secret}\n`)
  receiver = await new Receiver().open()
})
afterEach(async () => {
  for (const { child } of runs) child.kill('SIGKILL')
  await Promise.all(runs.map(({ ended }) => ended))
  runs = []
  await receiver[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

function watching(): Run {
  const url = `http://user:password@127.0.0.1:${receiver.port}/hook?token=query`
  const told = ['--webhook', url, '--webhook-secret-file', at('secret')]
  const times = ['--interval', '100ms', '--fall', '1', '--rise', '1', '--json']
  const started = start(['watch', '--file', at('list'), '--state', at('states'), ...told, ...times])
  runs.push(started)
  return started
}

const told = () =>
  [...new Map(receiver.messages.map((message) => [message.id, message])).values()]
    .flatMap(({ data }) => data.changes)
    .map(({ target, from, to }) => `${target} ${from}>${to}`)

describe('cancelpoint watch', () => {
  it('is killed, and its successor knows what it knew', async () => {
    const service = net.createServer((socket) => socket.on('error', () => {}).resume())
    await once(service.listen(0, '127.0.0.1'), 'listening')
    const target = `127.0.0.1:${(service.address() as AddressInfo).port}`
    writeFileSync(at('list'), `${target}\n${stations.refuse}\n`)
    const first = watching()
    await expect.poll(told, soon).toHaveLength(2)
    first.child.kill('SIGKILL')
    await first.ended
    expect((await loadStates(at('states'))).map(({ target, state }) => [target, state]).sort()).toEqual(
      [
        [target, 'up'],
        [stations.refuse, 'down'],
      ].sort(),
    )
    service.close()
    await once(service, 'close')
    const second = watching()
    await expect.poll(told, soon).toContain(`${target} up>down`)
    second.child.kill('SIGTERM')
    const { code, stdout, stderr } = await second.ended
    expect(code).toBe(0)
    // What was down stayed so: that is no change.
    expect(told()).toHaveLength(3)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(stderr).not.toMatch(/webhook|state file/)
    expect(readdirSync(folder).sort()).toEqual(['list', 'secret', 'states'])
  })

  it('sends at its end what waits', async () => {
    writeFileSync(at('list'), `${stations.refuse}\n`)
    const started = watching()
    await started.until(/"to":"down"/)
    started.child.kill('SIGTERM')
    expect((await started.ended).code).toBe(0)
    expect(told()).toEqual([`${stations.refuse} unknown>down`])
  })

  it('says what it could not send, and nothing that is secret', async () => {
    receiver.answer = (_, response) => response.writeHead(401).end()
    writeFileSync(at('list'), `${stations.refuse}\n`)
    const started = watching()
    await started.until(/"to":"down"/)
    started.child.kill('SIGTERM')
    const { stdout, stderr } = await started.ended
    expect(stderr).toMatch(/webhook http:\/\/127\.0\.0\.1:\d+: 1 change was lost: it answered with status 401/)
    for (const part of ['user', 'password', '/hook', 'token', 'query', secret, secret.slice(6)])
      expect(stdout + stderr).not.toContain(part)
  })

  it('reads its list again: a new one, a bad one, and on SIGHUP', async () => {
    writeFileSync(at('list'), `${stations.refuse}\n`)
    const started = watching()
    await expect.poll(told, soon).toHaveLength(1)
    writeFileSync(at('new'), `${stations.refuse}\n${stations.accept}\n`)
    renameSync(at('new'), at('list'))
    await expect.poll(told, soon).toContain(`${stations.accept} unknown>up`)
    writeFileSync(at('list'), `${stations.refuse}\nno target\n`)
    await expect.poll(started.stderr, soon).toMatch(new RegExp(`${at('list')}:2: .*no.* is not a target`))
    await expect.poll(started.stderr, soon).toContain('the old one stays')
    const before = started.stderr().length
    started.child.kill('SIGHUP')
    await expect.poll(() => started.stderr().slice(before), soon).toContain('the old one stays')
    writeFileSync(at('list'), `${stations.accept}\n`)
    await expect.poll(() => started.stderr().slice(before), soon).toContain('the list was read again: 1 target')
    started.child.kill('SIGTERM')
    expect((await started.ended).code).toBe(0)
    expect(told()).toHaveLength(2)
    expect((await loadStates(at('states'))).map(({ target }) => target)).toEqual([stations.accept])
  })

  it('tells the webhook also while nobody reads what it prints', async () => {
    const port = stations.refuse.split(':')[1]
    writeFileSync(at('list'), `127.9.0.0/22:${port}\n`)
    const started = watching()
    started.child.stdout!.pause()
    await expect.poll(() => told().length, soon).toBe(1_024)
    expect(await loadStates(at('states'))).toHaveLength(1_024)
    started.child.stdout!.resume()
    started.child.kill('SIGTERM')
    const { code, stdout } = await started.ended
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(1_024)
  })

  it('begins with one file of states alone', async () => {
    writeFileSync(at('list'), `${stations.refuse}\n`)
    const first = watching()
    await first.until(/"to":"down"/)
    const { code, stderr } = await watching().ended
    expect(code).toBe(2)
    expect(stderr).toContain(`${at('states')} is in use by another process`)
    first.child.kill('SIGTERM')
    expect((await first.ended).code).toBe(0)
  })
})

it.each<[string, string[], string]>([
  ['a webhook without a secret', ['--webhook', 'http://127.0.0.1:1/'], '--webhook has no secret'],
  [
    'a secret that is none',
    ['--webhook', 'http://127.0.0.1:1/', '--webhook-secret-file', '/dev/null'],
    'has no secret',
  ],
  ['a file of states that is none', ['--state', '/dev/null'], '/dev/null is no regular file'],
  ['a file of states in no folder', ['--state', '/no/such/folder/states'], 'no such file or directory'],
])('%s is refused: exit code 2', async (_, flags, words) => {
  const { code, stderr } = await run(['watch', ...flags, stations.refuse])
  expect(stderr).toContain(words)
  expect(stderr).not.toContain('    at ')
  expect(code).toBe(2)
})
