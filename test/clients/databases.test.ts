import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { selfSigned } from '../support/certificate.js'
import { because, lackingServer, useServer } from '../support/servers.js'
import { portOf, useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'
import { abortInConnect, expectAbortOfConnect, expectLimitOfConnect, leavesNothing } from './abort.js'
import { type Gate, openGate } from './gate.js'
import { recipe } from './recipes.js'

const targets = useStations()
const { cert: ca, key } = selfSigned()
const postgres = useServer('postgres')
const mariadb = useServer('mariadb')
const redis = useServer('redis')
const hanging = () => ({ host: '127.0.0.1', port: portOf(targets.hang) })

const { pgClient, pgPool } = await recipe('pg')
const { sqlOver } = await recipe('postgres')
const { mysqlConnection, mysqlPool } = await recipe('mysql2')
const { redisOver } = await recipe('ioredis')

afterEach(() => binding.clearFaults())

const lackingPostgres = lackingServer('postgres')
const lackingMariadb = lackingServer('mariadb')
const lackingRedis = lackingServer('redis')
/** Longer than a socket's buffers, so that it has to flow. */
const long = 4 << 20

/** With the signal's reason as its cause: Node destroys the socket so. */
const aborted = { name: 'AbortError', code: 'ABORT_ERR', cause: { message: 'changed my mind' } }
const soon = 100

/** A pool of three whose server goes away and comes back. */
async function expectRecovery(gate: Gate, ask: () => Promise<number>, connections: () => number): Promise<void> {
  expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1])
  await gate.shut()
  await expect.poll(connections).toBe(0)
  await expect(ask()).rejects.toMatchObject({ code: 'ECONNREFUSED', port: gate.port })
  await gate.open()
  expect(await ask()).toBe(1)
}

describe('pg', () => {
  it.skipIf(lackingPostgres).each([
    ['the one that is chosen', undefined],
    ['blocking', 'blocking'],
  ])(`asks PostgreSQL, engine: %s${because(lackingPostgres)}`, async (_, engine) => {
    const { pgClient } = await recipe('pg', engine)
    await leavesNothing(async () => {
      const client = pgClient({ ...postgres, user: 'test', database: 'postgres' })
      await client.connect()
      const { rows } = await client.query('select length($1) as length, repeat($2, $3) as much', ['four', 'x', long])
      expect([rows[0].length, rows[0].much.length]).toEqual([4, long])
      await client.end()
    })
  })

  it.skipIf(lackingPostgres)(`has a pool that recovers when the server comes back${because(lackingPostgres)}`, () =>
    leavesNothing(async () => {
      const gate = await openGate(postgres)
      const pool = pgPool({ ...gate, user: 'test', database: 'postgres', max: 3 }).on('error', () => {})
      const ask = async () => (await pool.query('select 1 as x')).rows[0].x
      await expectRecovery(gate, ask, () => pool.totalCount)
      await pool.end()
      await gate.shut()
    }),
  )

  describe.each(engines)('%s engine', (engine) => {
    it('is aborted while it connects', async () => {
      const { pgClient } = await recipe('pg', engine)
      await expectAbortOfConnect((signal) => pgClient({ ...hanging(), signal }).connect(), aborted)
    })

    it('is aborted while its pool connects', async () => {
      const { pgPool } = await recipe('pg', engine)
      await expectAbortOfConnect((signal) => pgPool({ ...hanging(), signal }).query('select 1'), aborted)
    })
  })

  it('ends a connect by its own limit, and so does its pool', async () => {
    const options = { ...hanging(), connectionTimeoutMillis: soon }
    await expectLimitOfConnect(() => pgClient(options).connect(), { message: 'timeout expired' })
    await expectLimitOfConnect(() => pgPool(options).connect(), {
      message: 'Connection terminated due to connection timeout',
    })
  })
})

describe('postgres.js', () => {
  it.skipIf(lackingPostgres)(`asks PostgreSQL${because(lackingPostgres)}`, () =>
    leavesNothing(async () => {
      const sql = sqlOver({ ...postgres, user: 'test', database: 'postgres', max: 2 })
      const [[one], [two]] = await Promise.all([sql`select 1 as x`, sql`select repeat('x', ${long}) as much`])
      expect([one.x, two.much.length]).toEqual([1, long])
      await sql.end()
    }),
  )

  it.skipIf(lackingPostgres)(`connects again when the server comes back${because(lackingPostgres)}`, () =>
    leavesNothing(async () => {
      const gate = await openGate(postgres)
      const sql = sqlOver({ ...gate, user: 'test', database: 'postgres', max: 1, backoff: 0 })
      expect(await sql`select 1 as x`).toEqual([{ x: 1 }])
      await gate.shut()
      await expect(sql`select 1`).rejects.toMatchObject({ code: expect.stringMatching(/ECONN|CONNECTION_CLOSED/) })
      await gate.open()
      expect(await sql`select 1 as x`).toEqual([{ x: 1 }])
      await sql.end()
      await gate.shut()
    }),
  )

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { sqlOver } = await recipe('postgres', engine)
    await expectAbortOfConnect(async (signal) => await sqlOver({ ...hanging(), signal, max: 1 })`select 1`, aborted)
  })

  it('ends a connect by its own limit', () =>
    expectLimitOfConnect(async () => await sqlOver({ ...hanging(), connect_timeout: soon / 1_000 })`select 1`, {
      code: 'CONNECT_TIMEOUT',
    }))
})

describe('mysql2', () => {
  it.skipIf(lackingMariadb)(`asks MariaDB${because(lackingMariadb)}`, () =>
    leavesNothing(async () => {
      const connection = await mysqlConnection({ ...mariadb, user: 'root' })
      const [rows] = await connection.query('select length(?) as length, repeat("x", ?) as much', ['four', long])
      expect([rows[0].length, rows[0].much.length]).toEqual([4, long])
      await connection.end()
    }),
  )

  it.skipIf(lackingMariadb)(`has a pool that recovers when the server comes back${because(lackingMariadb)}`, () =>
    leavesNothing(async () => {
      const gate = await openGate(mariadb)
      const { host, port } = gate
      const pool = mysqlPool({ host, port, user: 'root', connectionLimit: 3 })
      const ask = async () => (await pool.query('select 1 as x'))[0][0].x
      await expectRecovery(gate, ask, () => pool.pool._allConnections.length)
      await pool.end()
      await gate.shut()
    }),
  )

  describe.each(engines)('%s engine', (engine) => {
    it('is aborted while it connects', async () => {
      const { mysqlConnection } = await recipe('mysql2', engine)
      await expectAbortOfConnect((signal) => mysqlConnection({ ...hanging(), signal }), aborted)
    })

    it('is aborted while its pool connects', async () => {
      const { mysqlPool } = await recipe('mysql2', engine)
      await expectAbortOfConnect((signal) => mysqlPool({ ...hanging(), signal }).query('select 1'), aborted)
    })
  })

  it('ends a connect by its own limit, and so does its pool', async () => {
    const options = { ...hanging(), connectTimeout: soon }
    await expectLimitOfConnect(() => mysqlConnection(options), { code: 'ETIMEDOUT' })
    await expectLimitOfConnect(() => mysqlPool(options).query('select 1'), { code: 'ETIMEDOUT' })
  })
})

describe('ioredis', () => {
  it.skipIf(lackingRedis)(`asks Redis${because(lackingRedis)}`, () =>
    leavesNothing(async () => {
      const client = redisOver(redis)
      await client.set('much', 'x'.repeat(long))
      expect(await client.strlen('much')).toBe(long)
      expect((await client.get('much')).length).toBe(long)
      await client.quit()
    }),
  )

  it.skipIf(lackingRedis)(`asks Redis over TLS${because(lackingRedis)}`, () =>
    leavesNothing(async () => {
      const gate = await openGate(redis, { cert: ca, key })
      const client = redisOver({ host: 'localhost', port: gate.port, tls: { ca } })
      expect(await client.ping()).toBe('PONG')
      await client.quit()
      await gate.shut()
    }),
  )

  it.skipIf(lackingRedis)(`connects again when the server comes back${because(lackingRedis)}`, () =>
    leavesNothing(async () => {
      const gate = await openGate(redis)
      const failures: { code: string }[] = []
      const client = redisOver({ ...gate, retryStrategy: () => 1 }).on('error', (error: never) => failures.push(error))
      await client.ping()
      await gate.shut()
      await expect.poll(() => failures.map(({ code }) => code)).toContain('ECONNREFUSED')
      await gate.open()
      expect(await client.ping()).toBe('PONG')
      await client.quit()
      await gate.shut()
    }),
  )

  it.each(engines)('is disconnected while it connects, %s engine', async (engine) => {
    const { redisOver } = await recipe('ioredis', engine)
    const client = redisOver({ ...hanging(), lazyConnect: true })
    const settlement = await abortInConnect(
      () => client.connect(),
      () => client.disconnect(),
    )
    expect(settlement.error).toMatchObject({ message: 'Connection is closed.' })
    expect(settlement.held).toEqual(settlement.before)
    expect(client.status).toBe('end')
  })

  it('ends a connect by its own limit', () =>
    expectLimitOfConnect(
      () => {
        const client = redisOver({ ...hanging(), lazyConnect: true, connectTimeout: soon, retryStrategy: () => null })
        const failed = once(client, 'error').then(([error]) => Promise.reject(error))
        client.connect().catch(() => {})
        return failed
      },
      { code: 'ETIMEDOUT' },
    ))
})
