import { once } from 'node:events'
import { chmodSync, mkdirSync } from 'node:fs'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { type Fleet, startFleet } from '#internal/lab/fleet'
import { freshName, inetName, lackingIpv6, Sockets, unix } from '../support/sockets.mjs'
import { type Run, run, start } from './run.js'

const sockets = new Sockets()
afterEach(() => sockets.close())

let fleet: Fleet
beforeAll(async () => {
  fleet = await startFleet({ targets: 40 })
})
afterAll(() => fleet.close())
const targetOf = (behaviour: string) => fleet.targets.find((target) => target.behaviour === behaviour)!.target

/** A port that refuses until it is told to listen. */
function held(domain: 'inet' | 'inet6' = 'inet') {
  const fd = sockets.bound(domain)
  const { address, port } = inetName(fd)
  const target = domain === 'inet' ? `${address}:${port}` : `[${address}]:${port}`
  return { target, port, listen: () => binding.listen(fd, 16) }
}

/** It has begun to wait, and has been refused some times since. */
async function waits({ stderr }: Run): Promise<void> {
  await expect.poll(stderr, { timeout: 20_000 }).toContain('waiting until')
  await setTimeout(400)
}

const say = (words: string) => ['--', process.execPath, '-p', `'${words}'`]

describe('cancelpoint wait', () => {
  it('ends at once where all is up, with a line at the start and at the end', async () => {
    const a = targetOf('accept')
    const b = `127.1.0.9:${a.replace(/.*:/, '')}`
    expect(await run(['wait', a, b])).toEqual({
      code: 0,
      signal: null,
      stdout: '',
      stderr: expect.stringMatching(
        /^cancelpoint: waiting until \S+, \S+ are up, for at most 60 s\ncancelpoint: all 2 targets are up, after [\d.]+ s\n$/,
      ),
    })
  })

  it.each([
    ['IPv4', 'inet'],
    ['IPv6', 'inet6'],
  ] as const)('waits for a service that comes up late, over %s, and then runs the command', async (_, domain) => {
    if (domain === 'inet6' && lackingIpv6) return
    const late = held(domain)
    const waiting = start(['wait', targetOf('accept'), late.target, ...say('ran')])
    await waits(waiting)
    expect(waiting.stdout()).toBe('')
    late.listen()
    const { code, stdout, stderr } = await waiting.ended
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'ran\n' })
    expect(stderr).toMatch(/all 2 targets are up/)
  })

  it.skipIf(lackingIpv6)('takes an IPv6 literal with a zone', async () => {
    const late = held('inet6')
    const waiting = start(['wait', late.target.replace(']', '%lo]')])
    await waits(waiting)
    late.listen()
    expect(await waiting.ended).toMatchObject({ code: 0 })
  })

  it('waits for a path that does not exist yet, nor its directory', async () => {
    const folder = join(sockets.directory(), 'run')
    const path = join(folder, 'app.sock')
    const waiting = start(['wait', `unix:${path}`])
    await waits(waiting)
    mkdirSync(folder)
    await setTimeout(300)
    sockets.listener('unix', { address: unix(path) })
    expect(await waiting.ended).toMatchObject({ code: 0 })
  })

  const isRoot = process.getuid!() === 0
  it.skipIf(isRoot)('waits for permissions on a path, which root does not need', async () => {
    const folder = join(sockets.directory(), 'run')
    mkdirSync(folder)
    sockets.listener('unix', { address: unix(join(folder, 'app.sock')) })
    chmodSync(folder, 0)
    const waiting = start(['wait', `unix:${join(folder, 'app.sock')}`])
    await waits(waiting)
    chmodSync(folder, 0o700)
    expect(await waiting.ended).toMatchObject({ code: 0 })
  })

  it('waits for an abstract name', async () => {
    const address = freshName()
    const waiting = start(['wait', `unix:@${address.path.slice(1)}`])
    await waits(waiting)
    sockets.listener('unix', { address })
    expect(await waiting.ended).toMatchObject({ code: 0 })
  })

  it('is content with a target that was up once', async () => {
    const flapping = createServer((peer) => peer.on('error', () => {})).listen(0, '127.0.0.1')
    await once(flapping, 'listening')
    const late = held()
    const waiting = start(['wait', `127.0.0.1:${(flapping.address() as AddressInfo).port}`, late.target])
    await once(flapping, 'connection')
    await closed(flapping)
    await waits(waiting)
    late.listen()
    expect(await waiting.ended).toMatchObject({ code: 0 })
  })

  it('waits for every port of a range, and for 200 targets at once', async () => {
    const port = targetOf('accept').replace(/.*:/, '')
    const late = held()
    const waiting = start(['wait', `127.1.1.1-127.1.1.200:${port}`, late.target])
    await waits(waiting)
    expect(waiting.stderr()).toMatch(/127\.1\.1\.5:\d+ and 196 more are up/)
    late.listen()
    expect((await waiting.ended).stderr).toMatch(/all 201 targets are up/)
  })

  it('is held up by no target that hangs', async () => {
    const hanging = targetOf('hang').replace(/.*:/, '')
    const late = held()
    const waiting = start(['wait', '--timeout', '6s', `127.1.1.1-127.1.1.60:${hanging}`, late.target])
    await waits(waiting)
    late.listen()
    const { code, stderr } = await waiting.ended
    expect(code).toBe(1)
    expect(stderr).toContain('60 of 61 targets were not up')
    expect(stderr).not.toContain(`${late.target}  down`)
  })

  it('runs nothing and says what was missing and why when the time is over', async () => {
    const refusing = held().target
    const up = targetOf('accept')
    const args = ['--timeout', '2s', up, refusing, targetOf('hang'), 'unix:/no/such/path']
    const { code, stdout, stderr } = await run(['wait', ...args, ...say('ran')])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    const [, headline, header, ...rows] = stderr.trimEnd().split('\n')
    expect(headline).toMatch(/^cancelpoint: timed out after [\d.]+ s: 3 of 4 targets were not up$/)
    expect(header).toMatch(/^ {2}TARGET +STATE +WHY +WAITED +TRIES$/)
    const cells = rows.map((row) => row.trim().split(/ {2,}/))
    expect(cells.map(([target, state, why]) => [target, state, why])).toEqual([
      [refusing, 'down', 'ECONNREFUSED (refused): Nothing listens there.'],
      [
        targetOf('hang'),
        'unknown',
        expect.stringMatching(/^No answer yet: the first try was under way for [\d.]+ s\.$/),
      ],
      ['unix:/no/such/path', 'down', 'ENOENT (refused): No socket file has that path.'],
      [up, 'up', '-'],
    ])
    for (const [, , , waited, tries] of cells) {
      expect(waited).toMatch(/^[\d.]+ s$/)
      expect(Number(tries)).toBeGreaterThan(0)
    }
    expect(Number(cells[3]![4])).toBe(1)
  })

  it('says nothing with --quiet, and exits as ever', async () => {
    const timedOut = await run(['wait', '--quiet', '--timeout', '300ms', held().target])
    expect(timedOut).toMatchObject({ code: 1, stdout: '', stderr: '' })
    expect(await run(['wait', '--quiet', targetOf('accept')])).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  it('ends its connections politely', async () => {
    const events: string[] = []
    const server = createServer((peer) => {
      peer.resume()
      for (const event of ['end', 'error', 'close']) peer.on(event, () => events.push(event))
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    expect(await run(['wait', `127.0.0.1:${(server.address() as AddressInfo).port}`])).toMatchObject({ code: 0 })
    await expect.poll(() => events).toEqual(['end', 'close'])
    await closed(server)
  })

  it('asks for what check asks for: TLS, a probe', async () => {
    const { code, stderr } = await run(['wait', '--tls', '--timeout', '1s', targetOf('accept')])
    expect(code).toBe(1)
    expect(stderr).toContain('No answer yet')
    const answer = 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'
    const http = createServer((peer) =>
      peer
        .on('error', () => {})
        .resume()
        .end(answer),
    ).listen(0, '127.0.0.1')
    await once(http, 'listening')
    const target = `127.0.0.1:${(http.address() as AddressInfo).port}`
    expect(await run(['wait', '--probe', 'http', target])).toMatchObject({ code: 0 })
    const wrong = await run(['wait', '--probe', 'http', '--expect-status', '200', '--timeout', '3s', target])
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/\(protocol\): .*204/) })
    await closed(http)
  })
})

describe('cancelpoint wait --reverse', () => {
  it('waits until nobody serves there', async () => {
    const server = createServer((peer) => peer.on('error', () => {})).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const target = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const waiting = start(['wait', '--reverse', target, 'unix:/no/such/path', ...say('ran')])
    await waits(waiting)
    expect(waiting.stdout()).toBe('')
    await closed(server)
    const { code, stdout, stderr } = await waiting.ended
    expect({ code, stdout }).toEqual({ code: 0, stdout: 'ran\n' })
    expect(stderr).toMatch(/are down, for at most 60 s\n.*all 2 targets are down/)
  })

  it('takes one that does not answer for down', async () => {
    expect(await run(['wait', '--reverse', targetOf('hang')])).toMatchObject({ code: 0 })
  })

  it('does not take a backlog that stays full for down: somebody listens', async () => {
    const { code, stderr } = await run(['wait', '--reverse', '--timeout', '4s', targetOf('stall')])
    expect(code).toBe(1)
    expect(stderr).toContain('it was not down')
    expect(stderr).toMatch(/ {2}not down {2}ETIMEDOUT/)
  })

  it('takes one that is up for up', async () => {
    const { code, stderr } = await run(['wait', '--reverse', '--timeout', '2s', targetOf('accept'), held().target])
    expect(code).toBe(1)
    expect(stderr).toContain('1 of 2 targets was not down')
    expect(stderr).toMatch(/:\d+ +up +- +[\d.]+ s +\d+\n/)
  })
})

describe('what cannot be waited for is told at once, with exit code 2', () => {
  it.each([
    ['no targets', [], 'no targets'],
    ['no command', ['127.0.0.1:1', '--'], 'no command after --'],
    ['too many targets', ['127.0.0.0/20:1'], 'too many targets'],
    ['two families', ['-4', '-6', '127.0.0.1:1'], "'-4, --ipv4' cannot be used with option '-6, --ipv6'"],
    ['no such option', ['--revers', '127.0.0.1:1'], 'unknown option'],
    ['flags that exclude each other', ['--probe', 'ssh', '--send', 'x', '127.0.0.1:1'], 'exclude each other'],
    ['no interface of that name', ['[fe80::1%nope]:1'], "EINVAL: No interface named 'nope'"],
    ['a path through a file', ['unix:/etc/passwd/x'], 'ENOTDIR: A part of the path is not a directory.'],
  ])('%s', async (_, args, words) => {
    const { code, stdout, stderr } = await run(['wait', ...args, ...(args.includes('--') ? [] : say('ran'))])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(words)
  })

  it('every word that is no target, before anybody is asked', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    let asked = 0
    server.on('connection', () => {
      asked += 1
    })
    const up = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const { code, stderr } = await run(['wait', up, 'nonsense', 'a:99999', 'esc\u001b[31m:1'])
    expect(code).toBe(2)
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringContaining("'nonsense' is not a target"),
      expect.stringContaining("'a:99999' is not a target"),
      expect.stringContaining('esc\\u001b[31m'),
      'A command goes after --: cancelpoint wait TARGET ... -- COMMAND ...',
    ])
    expect(asked).toBe(0)
    await closed(server)
  })

  it('a datagram socket at the path', async () => {
    const path = join(sockets.directory(), 'datagram.sock')
    sockets.bound('unix', { type: 'dgram', address: unix(path) })
    expect(await run(['wait', `unix:${path}`])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('EPROTOTYPE'),
    })
  })
})

async function closed(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}
