/** docs/installing.md's recipe for esbuild, as it stands there, and what a bundle says that did not follow it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { builtAddon, installed, repository, run, scratch, write } from './package-folder.js'

const page = readFileSync(join(repository, 'docs/installing.md'), 'utf8')
const recipe = /^esbuild app\.js .*$/m.exec(page)![0]

/** The page has the command for ES modules. Each format has its file name. */
const commands = {
  esm: recipe,
  cjs: recipe.replace('--format=esm', '--format=cjs').replace('app.mjs', 'app.cjs'),
}
const outputs = { esm: 'app.mjs', cjs: 'app.cjs' }
const formats = ['esm', 'cjs'] as const

/** Every entry of the package, and a connect on each engine: the blocking one needs the workers. */
const app = `
  import { connect, ledger } from 'cancelpoint'
  import * as posix from 'cancelpoint/posix'
  import { Agent } from 'cancelpoint/http'
  const codes = ['blocking', 'nonblocking'].map(async (engine) => {
    const error = await connect('127.0.0.1:1', { engine, retry: false }).catch((error) => error)
    return error.code
  })
  Promise.all(codes).then((codes) => {
    new Agent().destroy()
    posix.close(posix.socket('inet'))
    console.log(JSON.stringify({ codes, descriptors: ledger().descriptors }))
  })`

let project: string
beforeEach(() => {
  project = scratch()
  installed(project, { addon: builtAddon })
  write(project, { 'app.js': app })
})

const bundle = (command: string) => {
  const path = `${join(repository, 'node_modules/.bin')}:${process.env.PATH}`
  const { status, stderr } = run('sh', ['-c', command], project, { PATH: path })
  expect({ status, stderr: stderr.match(/error/gi) }).toEqual({ status: 0, stderr: null })
}

describe.each(formats)('esbuild, --format=%s', (format) => {
  it('leaves cancelpoint out as the page says, and the bundle connects', () => {
    bundle(commands[format])
    const { status, stdout, stderr } = run(process.execPath, ['--no-warnings', outputs[format]], project)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(JSON.parse(stdout)).toEqual({ codes: ['ECONNREFUSED', 'ECONNREFUSED'], descriptors: 0 })
  })

  it('without that the bundle says in one sentence to leave it out', () => {
    bundle(commands[format].replace(/ '?--external:\S+/g, ''))
    const { status, stderr } = run(process.execPath, ['--no-warnings', outputs[format]], project)
    expect(status).toBe(1)
    expect(stderr).toMatch(/^\[?AddonError: cancelpoint: it runs out of a bundle.*external: \['cancelpoint'/m)
    expect(stderr).toContain("code: 'ERR_ADDON_BUNDLED'")
    expect(stderr).not.toMatch(/^ +at /m)
  })
})
