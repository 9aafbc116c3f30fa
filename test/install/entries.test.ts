import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { repository } from './package-folder.js'

it('resolvers that read no exports find the types of every entry', () => {
  const manifest = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  const { '.': main, './package.json': _, ...subpaths } = manifest.exports
  expect([manifest.main, manifest.types]).toEqual([main.default, main.types])
  const typesOf = Object.entries<{ types: string }>(subpaths).map(([path, { types }]) => [path.slice(2), [types]])
  expect(manifest.typesVersions['*']).toEqual(Object.fromEntries(typesOf))
})
