import { copyFileSync, existsSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { repository, run, scratch, write } from './package-folder.js'

/** native/install.mjs beside a gyp file that is enough for it, with `node-gyp` as the first on the path. */
function install(nodeGyp: string, env: NodeJS.ProcessEnv = {}) {
  const project = scratch()
  write(project, { 'bin/node-gyp': `#!/bin/sh\n${nodeGyp}\n`, 'native/binding.gyp': '{}' })
  copyFileSync(join(repository, 'native/install.mjs'), join(project, 'native/install.mjs'))
  symlinkSync(join(repository, 'node_modules'), join(project, 'node_modules'))
  run('chmod', ['+x', 'bin/node-gyp'], project)
  return run(process.execPath, ['native/install.mjs', 'node-gyp'], project, {
    npm_config_node_gyp: '',
    npm_config_loglevel: '',
    PATH: `${join(project, 'bin')}:${process.env.PATH}`,
    ...env,
  })
}

describe('the install script', () => {
  it.each([
    {
      what: 'python',
      says: 'gyp ERR! stack Error: Could not find any Python installation to use',
      sentence: /without Python 3; .*npm_config_python/,
    },
    {
      what: 'make',
      says: 'gyp ERR! stack Error: not found: make',
      sentence: /without make; install a C\+\+ toolchain/,
    },
    {
      what: 'the compiler of CC',
      says: "FileNotFoundError: [Errno 2] No such file or directory: 'ccache'",
      sentence: /without ccache; install/,
    },
    { what: 'the compiler of CXX', says: 'make: g++: No such file or directory', sentence: /without g\+\+; install/ },
    { what: 'the compiler, by the shell', says: '/bin/sh: 1: c++: not found', sentence: /without c\+\+; install/ },
    {
      what: 'headers',
      says: 'gyp ERR! stack FetchError: getaddrinfo ENOTFOUND headers.test',
      sentence: /headers .* npm_config_nodedir/,
    },
    { what: 'room', says: 'cc1plus: fatal error: No space left on device', sentence: /full disk/ },
  ])('says in one sentence that a build lacks $what', ({ says, sentence }) => {
    const { status, stderr } = install(
      `cat >&2 <<'END'\ngyp info find Python using Python version 3.11\n${says}\nEND\nexit 1`,
    )
    expect(status).toBe(1)
    expect(stderr).toMatch(sentence)
    expect(stderr.trim()).not.toContain('\n')
  })

  it("shows the compiler's lines where it knows no cause", () => {
    const { status, stderr } = install('echo "addon.cc:1: error: ECONNREFUSED, Python, make" >&2; exit 1')
    expect(status).toBe(1)
    expect(stderr).toMatch(/^addon\.cc:1: error.*\n+cancelpoint: its native addon did not build; the lines above/)
  })

  it("takes the package manager's node-gyp before the one on the path", () => {
    const project = scratch()
    write(project, { 'gyp.js': "console.error('getaddrinfo ENOTFOUND of its own')\nprocess.exitCode = 1" })
    const { stderr } = install('exit 0', { npm_config_node_gyp: join(project, 'gyp.js') })
    expect(stderr).toContain('headers')
  })

  it('goes past a node-gyp of Yarn that starts nothing', () => {
    const { stderr } = install(`cat >&2 <<'END'\nCouldn't find a script name "node-gyp" in the top-level\nEND\nexit 1`)
    expect(stderr).not.toContain('find a script name')
  }, 120_000)

  it('builds with compilers that are more than one word', () => {
    const project = scratch()
    run('cp', ['-r', join(repository, 'native'), join(repository, 'package.json'), project], project)
    run('rm', ['-rf', 'native/build', 'native/prebuilds'], project)
    symlinkSync(join(repository, 'node_modules'), join(project, 'node_modules'))
    const { status, stderr } = run('npm', ['run', '--silent', 'install'], project, {
      CC: 'env gcc -g0',
      CXX: 'env g++ -g0',
    })
    expect([status, stderr]).toEqual([0, ''])
    expect(existsSync(join(project, 'native/build/Release/cancelpoint.node'))).toBe(true)
  }, 120_000)
})
