import { afterEach, describe, expect, it } from 'vitest'
import { binding } from '#internal/bridge/binding'
import { portOf, useStations } from '../support/stations.js'
import { engines } from '../support/warm-up.js'
import { abortInConnect, expectAbortInConnect, leavesNothing } from './abort.js'
import { recipe } from './recipes.js'
import { because, lackingServer, useServer } from './servers.js'

const targets = useStations()
const postgres = useServer('postgres')
const mariadb = useServer('mariadb')
const redis = useServer('redis')
const hanging = () => ({ host: '127.0.0.1', port: portOf(targets.hang) })

const { sqlOver } = await recipe('postgres')
const { mysqlConnection } = await recipe('mysql2')
const { redisOver } = await recipe('ioredis')

afterEach(() => binding.clearFaults())

const lackingPostgres = lackingServer('postgres')
const lackingMariadb = lackingServer('mariadb')
const lackingRedis = lackingServer('redis')
/** Longer than a socket's buffers, so that it has to flow. */
const long = 4 << 20

describe('pg', () => {
  it.skipIf(lackingPostgres).each([
    ['the one that is chosen', undefined],
    ['blocking', 'blocking'],
  ])(`asks PostgreSQL, engine: %s${because(lackingPostgres)}`, async (_, engine) => {
    const { pgClient } = await recipe('pg', engine)
    await leavesNothing(async () => {
      const client = await pgClient({ ...postgres, user: 'test', database: 'postgres' })
      const { rows } = await client.query('select length($1) as length, repeat($2, $3) as much', ['four', 'x', long])
      expect([rows[0].length, rows[0].much.length]).toEqual([4, long])
      await client.end()
    })
  })

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { pgClient } = await recipe('pg', engine)
    await expectAbortInConnect((signal) => pgClient({ ...hanging(), signal }))
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

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { sqlOver } = await recipe('postgres', engine)
    let sql: ReturnType<typeof sqlOver>
    await expectAbortInConnect(async (signal) => {
      sql = sqlOver({ ...hanging(), signal, max: 1 })
      await sql`select 1`
    })
    await sql.end({ timeout: 0 })
  })
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

  it.each(engines)('is aborted while it connects, %s engine', async (engine) => {
    const { mysqlConnection } = await recipe('mysql2', engine)
    await expectAbortInConnect((signal) => mysqlConnection({ ...hanging(), signal }))
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

  it.skipIf(lackingRedis)(`connects again when the connection was lost${because(lackingRedis)}`, async () => {
    const client = redisOver({ ...redis, retryStrategy: () => 1 })
    await client.ping()
    client.stream.destroy()
    expect(await client.ping()).toBe('PONG')
    client.disconnect()
  })

  it.each(engines)('is disconnected while it connects, %s engine', async (engine) => {
    const { redisOver } = await recipe('ioredis', engine)
    const client = redisOver({ ...hanging(), lazyConnect: true }).on('error', () => {})
    const settlement = await abortInConnect(
      () => client.connect(),
      () => client.disconnect(),
    )
    expect(settlement.error).toMatchObject({ code: 'ABORT_ERR', cause: { message: 'redis.disconnect()' } })
    expect(settlement.held).toEqual(settlement.before)
    expect(client.status).toBe('end')
  })
})
