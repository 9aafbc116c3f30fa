import { describe, expect, it } from 'vitest'
import { workerArguments } from '#internal/engines/worker-arguments'

const pnp = ['--require', '/app/.pnp.cjs']

describe('workerArguments', () => {
  it.each([
    [['-r', './.pnp.cjs'], pnp],
    [['--require', '.pnp.cjs'], pnp],
    [['--require=./.pnp.cjs'], pnp],
    [['--expose-gc', '-r', '/app/.pnp.cjs', '--no-warnings'], pnp],
    [
      ['-r', '../.pnp.cjs', '-r', './.pnp.cjs'],
      ['--require', '/.pnp.cjs', ...pnp],
    ],
    [
      ['-r', '/a folder/.pnp.cjs'],
      ['--require', '/a folder/.pnp.cjs'],
    ],
  ])('hands on .pnp.cjs: %j', (execArgv, expected) => {
    expect(workerArguments(execArgv, '/app')).toEqual(expected)
  })

  it.each([
    [[]],
    [['--expose-gc', '--max-old-space-size=100', '--title=x', '--conditions', 'dev']],
    [['-r', './tracing.cjs', '--require=dotenv/config', '--import', './hook.mjs']],
    // An end without a value, and a flag that only mentions the file.
    [['-r']],
    [['--title', './.pnp.cjs', '--import', './.pnp.loader.mjs']],
    [['-r', './my.pnp.cjs', '-r', './.pnp.cjs.bak']],
  ])('and nothing else: %j', (execArgv) => {
    expect(workerArguments(execArgv, '/app')).toEqual([])
  })
})
