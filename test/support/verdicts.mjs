// @ts-check
/** One fleet, checked by children under all sorts of limits. Plain JavaScript, because it runs inside namespaces too. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {{ target: string, status: string, code?: string, errnoClass?: string, reason?: string }} Verdict
 * @typedef {{ verdicts: Verdict[], lanes: number, requeues: number, window: number, failed: string | null }} Answer
 * @typedef {object} Request
 * @property {string[]} targets
 * @property {string} [warmUp] one that accepts, for what is limited only once the pool runs
 * @property {import('cancelpoint').CheckOptions} [check]
 * @property {import('cancelpoint').ManagerOptions} [manager]
 * @property {{ program: string[] }} [under] what the child is run by
 * @property {{ target: string, count: number, attemptTimeoutMs: number }} [busy] connects that hold lanes when the check begins
 * @property {number[]} [boundPorts] local ports that are somebody else's
 * @property {{ call: string, errno: string, everyMs: number }} [faults] one call of this kind fails so often
 * @property {number} [exhaustedMs] no descriptor is to be had for so long as the check begins
 * @property {number} [threads] native threads that the child may still start, once its pool runs
 */

/** @param {string} name */
const fixture = (name) => fileURLToPath(new URL(`../integration/fixtures/${name}.mjs`, import.meta.url))

/**
 * A fleet in a process of its own, whose descriptors are under nobody's limit.
 * @param {number} count @param {...('ipv6' | 'names')} more see fixtures/fleet.mjs
 */
export async function startFleetProcess(count, ...more) {
  const child = spawn(process.execPath, [fixture('fleet'), `${count}`, ...more], { stdio: ['pipe', 'pipe', 'inherit'] })
  /** @type {import('#internal/lab/fleet').LabTarget[]} */
  const targets = JSON.parse(await firstLine(child.stdout))
  const end = async () => {
    const ended = once(child, 'exit')
    child.stdin.end()
    await ended
  }
  return { targets, end }
}

/** @param {NodeJS.ReadableStream} stream */
async function firstLine(stream) {
  let read = ''
  for await (const chunk of stream) {
    read += chunk
    if (read.includes('\n')) break
  }
  return read
}

/** What a child says of the targets. @param {Request} request @returns {Promise<Answer>} */
export async function verdictsOf({ under, ...request }) {
  const [program = process.execPath, ...args] = [...(under?.program ?? []), process.execPath, fixture('verdicts')]
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  // One that ends before it has read says why on its standard error.
  child.stdin.on('error', () => {}).end(JSON.stringify(request))
  const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr)])
  const [code, signal] = await ended
  if (code !== 0) throw new Error(`the check ended with ${code ?? signal}:\n${complaint}`)
  return JSON.parse(output)
}

/**
 * What `limited` says of a target that `fair` does not say, 'unknown' apart, and of which targets it says nothing.
 * @param {Answer} fair @param {Answer} limited
 */
export function compare(fair, limited) {
  /** @type {Map<string, Set<string>>} */
  const said = new Map()
  for (const { target, status } of fair.verdicts) said.set(target, (said.get(target) ?? new Set()).add(status))
  const known = limited.verdicts.filter(({ status }) => status !== 'unknown')
  return {
    lies: known.filter(({ target, status }) => !said.get(target)?.has(status)),
    missing: fair.verdicts.length - limited.verdicts.length,
    unknown: limited.verdicts.length - known.length,
  }
}
