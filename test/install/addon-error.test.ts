import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { builtAddon, importError, installed, run, scratch, write } from './package-folder.js'

describe('an addon that was not built', () => {
  const npm = 'npm rebuild cancelpoint --ignore-scripts=false'
  it.each([
    { manager: 'npm', files: {}, command: npm },
    { manager: 'npm, --global', where: 'lib/node_modules/cancelpoint', command: 'npm rebuild cancelpoint --global' },
    {
      manager: 'pnpm',
      where: 'node_modules/.pnpm/cancelpoint@0.1.0/node_modules/cancelpoint',
      command: 'pnpm approve-builds`, or where it is approved `pnpm rebuild`',
    },
    { manager: 'pnpm, hoisted', files: { 'node_modules/.modules.yaml': '' }, command: 'pnpm approve-builds' },
    { manager: 'yarn', files: { 'node_modules/.yarn-state.yml': '' }, command: 'yarn rebuild cancelpoint' },
    {
      manager: 'yarn, unplugged',
      where: '.yarn/unplugged/cancelpoint-npm-0/node_modules/cancelpoint',
      command: 'yarn rebuild cancelpoint',
    },
    { manager: 'yarn 1', files: { 'node_modules/.yarn-integrity': '' }, command: 'npm rebuild cancelpoint' },
    { manager: 'bun', files: { 'bun.lock': '{}' }, command: 'bun pm trust cancelpoint' },
    { manager: 'none: a clone', where: 'src/cancelpoint', command: 'npm ci && npm run build' },
  ])('is one sentence with the command: $manager', ({ where, files = {}, command }) => {
    const project = scratch()
    const root = installed(project, { ...(where ? { where } : {}) })
    write(project, files as Record<string, string>)
    const error = importError(root)
    expect(error).toMatchObject({ name: 'AddonError', code: 'ERR_ADDON_MISSING' })
    expect(error.message).toContain(`\`${command}`)
    expect(error.message).not.toContain('\n')
    expect(error.stack).toBe(`AddonError: ${error.message}`)
    expect(error.cause).toContain('No native build was found')
  })

  it('prints no stack where the import is not caught', () => {
    const project = scratch()
    installed(project)
    const { status, stderr } = run(process.execPath, ['--input-type=module', '-e', "import 'cancelpoint'"], project)
    expect(status).toBe(1)
    expect(stderr).toContain('npm rebuild cancelpoint')
    expect(stderr).not.toMatch(/^ +at /m)
  })
})

describe('an addon that is there and does not load', () => {
  const patched = (change: (bytes: Buffer) => Buffer): string => {
    const file = join(scratch(), 'patched.node')
    write(join(file, '..'), { 'patched.node': change(readFileSync(builtAddon)) })
    return file
  }
  const renamed = (from: string, to: string) => (bytes: Buffer) =>
    Buffer.from(bytes.toString('latin1').replaceAll(from, to), 'latin1')
  const otherMachine = (bytes: Buffer) => {
    bytes.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18) // e_machine
    return bytes
  }

  it.each([
    {
      what: 'for another processor',
      change: otherMachine,
      says: /it is not for \w+, or damaged.*build it on this system/,
    },
    { what: 'cut short', change: (bytes: Buffer) => bytes.subarray(0, 100), says: /or damaged/ },
    { what: 'empty', change: () => Buffer.alloc(0), says: /or damaged/ },
    { what: 'not an addon', change: () => Buffer.alloc(5_000, 'x'), says: /or damaged/ },
    {
      what: 'for a newer glibc',
      change: renamed('GLIBC_2.34', 'GLIBC_9.34'),
      says: /built for a newer C or C\+\+ library: .*GLIBC_9\.34/,
    },
    {
      what: 'for a newer libstdc++',
      change: renamed('GLIBCXX_3.4', 'GLIBCXX_9.4'),
      says: /built for a newer C or C\+\+ library/,
    },
    { what: 'for another C library', change: renamed('libc.so.6', 'libc.so.9'), says: /built for another C library/ },
    {
      what: 'without a library that it needs',
      change: renamed('libstdc++.so.6', 'libstdd++.so.6'),
      says: /it needs libstdd\+\+\.so\.6/,
    },
  ])('$what', ({ change, says }) => {
    const project = scratch()
    installed(project, { addon: patched(change) })
    const error = importError(project)
    expect(error).toMatchObject({
      name: 'AddonError',
      code: 'ERR_ADDON_UNLOADABLE',
      message: expect.stringMatching(says),
    })
    expect(error.message).not.toContain('\n')
  })

  it('without the package that finds it', () => {
    const project = scratch()
    installed(project, { addon: builtAddon })
    run('rm', ['node_modules/node-gyp-build'], project)
    expect(importError(project)).toMatchObject({
      code: 'ERR_ADDON_UNLOADABLE',
      message: expect.stringMatching(/node-gyp-build.*install cancelpoint again/),
    })
  })
})

describe('a process that may load none', () => {
  const [major] = process.versions.node.split('.').map(Number)
  const permission = major! < 23 ? '--experimental-permission' : '--permission'
  it.each([{ flags: ['--no-addons'] }, { flags: [permission, '--allow-fs-read=*'] }])('$flags', ({ flags }) => {
    const project = scratch()
    installed(project, { addon: builtAddon })
    expect(importError(project, { flags })).toMatchObject({
      name: 'AddonError',
      code: 'ERR_ADDON_DISABLED',
      message: expect.stringContaining('--allow-addons'),
    })
  })

  it('and one that has no descriptor left', () => {
    const project = scratch()
    const root = installed(project, { addon: builtAddon })
    write(project, {
      'full.cjs': `
        const { openSync } = require('node:fs')
        const { addonError } = require(${JSON.stringify(join(root, 'dist/src/bridge/addon-error.cjs'))})
        try { for (;;) openSync('/dev/null') } catch {}
        try { require(${JSON.stringify(builtAddon)}) } catch (error) {
          const { name, code, message } = addonError(${JSON.stringify(root)}, error)
          process.stdout.write(JSON.stringify({ name, code, message }))
        }`,
    })
    const { stdout } = run('sh', ['-c', 'ulimit -n 64; exec "$@"', 'sh', process.execPath, 'full.cjs'], project)
    expect(JSON.parse(stdout)).toMatchObject({
      name: 'AddonError',
      code: 'EMFILE',
      message: expect.stringContaining('ulimit -n'),
    })
  })
})
