/**
 * What a TypeScript user sees: every entry by its name, and the code of the README and of docs/clients.md, under `strict` and with
 * the types of the package and of every client checked too (`skipLibCheck: false`).
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { codeOf, recipes } from '../clients/recipes.js'
import { installed, repository, run, scratch, write } from './package-folder.js'

const readme = readFileSync(join(repository, 'README.md'), 'utf8')
const installingPage = readFileSync(join(repository, 'docs/installing.md'), 'utf8')

const clients = [
  '@types/node-fetch',
  '@types/pg',
  '@types/ssh2',
  '@types/ws',
  'axios',
  'got',
  'ioredis',
  'kafkajs',
  'mqtt',
  'mysql2',
  'node-fetch',
  'nodemailer',
  'pg',
  'postgres',
  'ssh2',
  'undici',
  'ws',
]

/** Written in TypeScript: parameters have types, nothing is any. */
const entries = `
  import { type CheckOptions, type CheckResult, type ConnectOptions, connect, ConnectionManager, ledger } from 'cancelpoint'
  import * as posix from 'cancelpoint/posix'
  import { Agent } from 'cancelpoint/http'
  import { connector } from 'cancelpoint/undici'
  import type http from 'node:http'
  import type https from 'node:https'
  import type { Socket } from 'node:net'

  const options: ConnectOptions & CheckOptions = { timeoutMs: 5_000, close: 'fin', engine: 'auto', signal: AbortSignal.abort() }
  export const socket: Promise<Socket> = connect('db.internal:5432', options)
  export async function* check(targets: AsyncIterable<string>): AsyncGenerator<CheckResult> {
    await using manager = new ConnectionManager({ lanes: 4 })
    using descriptor = await manager.open({ path: '/run/app.sock' })
    posix.setNonblocking(descriptor.fd, true)
    yield* manager.check(targets, options)
  }
  export const agents: [http.Agent, https.Agent] = [new Agent(), new Agent({ keepAlive: true })]
  export const held: number = ledger().descriptors
  export const cancelling = connector({ tls: {} }).cancelling()
  // @ts-expect-error: no option of that name
  void connect('a:1', { timeoutmS: 1 })
  // @ts-expect-error: no way of that name
  void connect('a:1', { close: 'rudely' })`

/** What the README's blocks speak of, and leave to the reader. */
const surroundings = `
  declare const https: typeof import('node:https')
  declare const manager: import('cancelpoint').ConnectionManager
  declare const signal: AbortSignal
  declare const targets: string[]`

const blocks = [...readme.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code!)

/** The pages' code is JavaScript: its parameters have no types. Everything else that `strict` asks is asked. */
const shown = {
  'shown/surroundings.d.ts': surroundings,
  ...Object.fromEntries(recipes.filter((name) => name !== 'mqtt').map((name) => [`shown/${name}.mts`, codeOf(name)])),
  ...Object.fromEntries(blocks.map((code, index) => [`shown/readme-${index}.mts`, code])),
}

const lib = JSON.parse(/"lib": (\[.*?\])/.exec(installingPage)![1]!)
const common = { strict: true, skipLibCheck: false, noEmit: true, target: 'es2022', lib, types: ['node'] }

function projectWith(files: Record<string, string>, compilerOptions: object): string {
  const project = scratch()
  installed(project, { also: ['@types/node', ...clients] })
  write(project, {
    ...files,
    'tsconfig.json': JSON.stringify({ compilerOptions, include: ['*.?ts', '*.ts', 'shown'] }),
  })
  return project
}

function compile(project: string): string {
  const { status, stdout, stderr } = run(
    process.execPath,
    [join(repository, 'node_modules/typescript/bin/tsc')],
    project,
  )
  return status === 0 ? '' : stdout + stderr
}

const kinds: { module: string; moduleResolution?: string; files: Record<string, string> }[] = [
  { module: 'nodenext', files: { 'entries.mts': entries, 'required.cts': entries } },
  { module: 'esnext', moduleResolution: 'bundler', files: { 'entries.ts': entries } },
]

it.each(kinds)('every entry has its types, and they are strict: $module', ({ files, ...modules }) => {
  expect(compile(projectWith(files, { ...common, ...modules }))).toBe('')
})

it('the code of the README and of docs/clients.md compiles', () => {
  expect(recipes.length).toBeGreaterThan(7)
  expect(blocks.length).toBeGreaterThan(3)
  expect(compile(projectWith(shown, { ...common, module: 'nodenext', noImplicitAny: false }))).toBe('')
})

it('so does that of mqtt, whose own types want those of a browser', () => {
  const lib = [...common.lib, 'dom']
  const files = { 'shown/mqtt.mts': codeOf('mqtt') }
  expect(compile(projectWith(files, { ...common, lib, module: 'nodenext', noImplicitAny: false }))).toBe('')
})
