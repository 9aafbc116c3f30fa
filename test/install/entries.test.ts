import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { builtAddon, installed, repository, run, scratch, write } from './package-folder.js'

it('resolvers that read no exports find the types of every entry', () => {
  const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  const { '.': main, './package.json': _, ...subpaths } = manifest.exports
  expect([manifest.main, manifest.types]).toEqual([main.default, main.types])
  const typesOf = Object.entries<{ types: string }>(subpaths).map(([path, { types }]) => [path.slice(2), [types]])
  expect(manifest.typesVersions['*']).toEqual(Object.fromEntries(typesOf))
})

it('require() loads every entry, and the same modules as import', () => {
  const project = scratch()
  installed(project, { addon: builtAddon, also: ['undici'] })
  write(project, {
    'app.cjs': `
      const entries = ['', '/posix', '/net', '/http', '/undici'].map((path) => 'cancelpoint' + path)
      Promise.all(entries.map(async (name) => require(name) === (await import(name)))).then((same) => {
        require('cancelpoint').connect('127.0.0.1:1', { retry: false }).catch(({ code }) => console.log(same.join(), code))
      })`,
  })
  const { stdout, stderr } = run(process.execPath, ['--no-warnings', 'app.cjs'], project)
  expect({ stdout, stderr }).toEqual({ stdout: 'true,true,true,true,true ECONNREFUSED\n', stderr: '' })
})
