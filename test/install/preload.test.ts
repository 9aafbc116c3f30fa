import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { builtAddon, installed, repository, run, scratch, write } from './package-folder.js'

describe('a package that only .pnp.cjs finds', () => {
  it.each([[['-r', './.pnp.cjs']], [['--require=./.pnp.cjs']]])('is found by the workers: node %j', (flags) => {
    const project = scratch()
    installed(project, { addon: builtAddon })
    // The addon's loader needs it, in this thread and in each worker.
    rmSync(join(project, 'node_modules/node-gyp-build'))
    const found = join(repository, 'node_modules/node-gyp-build')
    write(project, {
      '.pnp.cjs': `
        const Module = require('node:module')
        const resolve = Module._resolveFilename
        Module._resolveFilename = function (name, ...rest) {
          return resolve.call(this, name === 'node-gyp-build' ? ${JSON.stringify(found)} : name, ...rest)
        }`,
      'app.mjs': `
        import { connect } from 'cancelpoint'
        process.chdir('/')
        const options = { engine: 'blocking', retry: false, timeoutMs: 10_000 }
        const error = await connect('127.0.0.1:1', options).catch((error) => error)
        console.log(error.code)`,
    })
    // Flags that a worker refuses are no hindrance.
    const refused = ['--no-warnings', '--expose-gc', '--title=app']
    const { stdout, stderr } = run(process.execPath, [...refused, ...flags, 'app.mjs'], project)
    expect({ stdout, stderr }).toEqual({ stdout: 'ECONNREFUSED\n', stderr: '' })
  })
})
