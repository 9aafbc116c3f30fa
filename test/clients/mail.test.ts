import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { portOf, useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'
import { expectAbortOfConnect, expectLimitOfConnect, leavesNothing } from './abort.js'
import { recipe, recipes } from './recipes.js'

const targets = useStations()
const { mailOver } = await recipe('nodemailer')
const message = { from: 'a@example.test', to: 'b@example.test', subject: 'hello', text: 'one\n.\ntwo' }

afterEach(() => binding.clearFaults())

/** As much SMTP as a client needs to get rid of a message. */
const received: string[] = []
const server = net.createServer(async (peer) => {
  peer.on('error', () => {}).write('220 test\r\n')
  let data: string[] | undefined
  for await (const line of createInterface({ input: peer })) {
    if (data && line !== '.') data.push(line)
    else if (data) {
      received.push(data.join('\n'))
      data = undefined
      peer.write('250 taken\r\n')
    } else if (/^DATA/i.test(line)) {
      data = []
      peer.write('354 go on\r\n')
    } else if (/^QUIT/i.test(line)) peer.end('221 bye\r\n')
    else peer.write('250 test\r\n')
  }
})
beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterAll(() => {
  server.close()
})

describe('nodemailer', () => {
  it('sends a message', () =>
    leavesNothing(async () => {
      const mail = mailOver({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
      await mail.sendMail(message)
      expect(received.pop()).toContain('Subject: hello')
      mail.close()
    }))

  describe.each(engines)('%s engine', (engine) => {
    const hanging = async (signal: AbortSignal) =>
      (await recipe('nodemailer', engine)).mailOver({ host: '127.0.0.1', port: portOf(targets.hang), signal })

    it('is aborted while it connects', () =>
      expectAbortOfConnect(async (signal) => (await hanging(signal)).sendMail(message), { name: 'AbortError' }))

    it('is aborted by the message’s own signal as well, if it is the same', () =>
      expectAbortOfConnect(async (signal) => (await hanging(signal)).sendMail({ ...message, signal }), {
        name: 'AbortError',
      }))
  })

  it('ends a connect by its own limit', () =>
    expectLimitOfConnect(
      () => mailOver({ host: '127.0.0.1', port: portOf(targets.hang), connectionTimeout: 100 }).sendMail(message),
      // Of nodemailer's limit and ours, whichever is first.
      { code: expect.stringMatching(/^(ETIMEDOUT|ESOCKET)$/) },
    ))
})

describe('the page', () => {
  it('has code for the clients that are tested, and no others', () => {
    expect(recipes).toEqual([
      'tls',
      'http',
      'got',
      'axios',
      'node-fetch',
      'undici',
      'ws',
      'http2',
      'pg',
      'postgres',
      'mysql2',
      'ioredis',
      'nodemailer',
      'kafkajs',
      'mqtt',
      'ssh2',
    ])
  })
})
