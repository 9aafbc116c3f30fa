/** Fixtures in namespaces of their own, which takes no root where users may make them. Flags are those of unshare(1). */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect } from 'vitest'

/** Why there are none here; empty where there are. */
export function refusalOfNamespace(flags: string): string {
  const { status, stderr } = spawnSync('unshare', [flags, 'true'], { encoding: 'utf8' })
  return status === 0 ? '' : stderr || 'no unshare here'
}

/** The JSON that a fixture prints. It must not say anything else. */
export function answerInNamespace(flags: string, fixture: string) {
  const script = fileURLToPath(new URL(`../integration/fixtures/${fixture}.mjs`, import.meta.url))
  const { stdout, stderr } = spawnSync('unshare', [flags, process.execPath, script], { encoding: 'utf8' })
  expect(stderr).toBe('')
  return JSON.parse(stdout)
}
