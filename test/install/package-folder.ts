/** cancelpoint in a node_modules of its own, as a package manager would have put it there. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const repository = fileURLToPath(new URL('../../', import.meta.url))
export const builtAddon = join(repository, 'native/build/Release/cancelpoint.node')

/** A new folder, gone after the test. */
export function scratch(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'cancelpoint-install-')))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Files by their path below `folder`. */
export function write(folder: string, files: Record<string, string | Uint8Array>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), content)
  }
}

/** The package at `project/where`, without its addon unless given, and links to its dependencies and to `also`. The folder is returned. */
export function installed(
  project: string,
  { where = 'node_modules/cancelpoint', addon = '', also = [] as string[] } = {},
): string {
  const root = join(project, where)
  for (const part of ['package.json', 'dist/src', 'dist/workers']) {
    cpSync(join(repository, part), join(root, part), { recursive: true, filter: (path) => !path.endsWith('.map') })
  }
  mkdirSync(join(root, 'native'))
  if (addon !== '') write(root, { 'native/build/Release/cancelpoint.node': readFileSync(addon) })
  const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
  for (const name of [...Object.keys(dependencies), ...also]) {
    const link = join(where.includes('node_modules') ? dirname(root) : join(root, 'node_modules'), name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(repository, 'node_modules', name), link)
  }
  return root
}

export interface Ran {
  status: number | null
  stdout: string
  stderr: string
}

export function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): Ran {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    timeout: 110_000,
  })
  if (error) throw error
  return { status, stdout, stderr }
}

/** What the import of `specifier` from a file in `folder` throws: name, code and message, or undefined. */
export function importError(folder: string, { specifier = 'cancelpoint', flags = [] as string[], shell = '' } = {}) {
  const entry = join(folder, 'entry.mjs')
  write(folder, {
    'entry.mjs':
      `import(${JSON.stringify(specifier)}).then(() => console.log('{}'), ({ name, code, message, stack, cause }) => ` +
      'console.log(JSON.stringify({ name, code, message, stack, cause: cause?.message })))',
  })
  const command = `${shell} exec "$@"`
  const ran = run('sh', ['-c', command, 'sh', process.execPath, '--no-warnings', ...flags, entry], folder)
  if (ran.stdout === '') throw new Error(ran.stderr)
  return JSON.parse(ran.stdout) as Partial<Record<'name' | 'code' | 'message' | 'stack' | 'cause', string>>
}
