/** The network namespace of the test's own: its recipes are in namespace-child.mjs. Needs no root where users may make one. */
import { spawnSync } from 'node:child_process'
import { answerOf, scriptPath } from './child.js'
import type { ByEngine, Observation } from './observe.mjs'

/** What a recipe came to, or why it could not be set up. */
export type NamespaceAnswer = Partial<Record<'blocking' | 'nonblocking', Observation>> & {
  manager?: ByEngine
  refused?: string
}

/** Why there is no namespace here, or undefined where there is one. */
function refusal(): string | undefined {
  const { error, status, stderr } = spawnSync('unshare', ['-Urn', 'ip', 'link', 'set', 'lo', 'up'], {
    encoding: 'utf8',
  })
  if (error) return error.message
  return status === 0 ? undefined : stderr.trim() || `unshare ended with ${status}`
}

/** Every recipe's answer, by its name; why there are none. */
export async function askNamespace(): Promise<{ answers: Record<string, NamespaceAnswer>; refused?: string }> {
  const refused = refusal()
  if (refused !== undefined) return { answers: {}, refused }
  const script = scriptPath('namespace-child.mjs')
  return { answers: await answerOf('unshare', ['-Urn', process.execPath, script]) }
}
