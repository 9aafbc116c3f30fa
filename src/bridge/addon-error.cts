/**
 * Why the addon could not be loaded: one sentence that names the cause and what to do. CommonJS, as the loader is
 * (src/bridge/addon.cts); the loader reads this file only once it has failed.
 */
import type * as NodeFs from 'node:fs'
import type * as NodePath from 'node:path'

const { existsSync, readdirSync }: typeof NodeFs = require('node:fs')
const { dirname, join, sep }: typeof NodePath = require('node:path')

type AddonErrorCode =
  /** The package has no built addon: its install script did not run, or failed. */
  | 'ERR_ADDON_MISSING'
  /** There is one, and the system does not load it: another C library, another processor, a damaged file. */
  | 'ERR_ADDON_UNLOADABLE'
  /** Node.js was told to load none: --no-addons, or --permission without --allow-addons. */
  | 'ERR_ADDON_DISABLED'
  /** This process, or this machine, has no descriptor left to open the addon with. */
  | 'EMFILE'
  | 'ENFILE'

/** Thrown by the import. `cause` is what Node.js or the system said. */
class AddonError extends Error {
  readonly code: AddonErrorCode

  constructor(code: AddonErrorCode, message: string, cause: Error) {
    super(`cancelpoint: ${message}`, { cause })
    this.name = 'AddonError'
    this.code = code
    // The frames are the loader's and node-gyp-build's. They say nothing to the reader, and would hide the sentence.
    this.stack = `${this.name}: ${this.message}`
    cause.stack = `${cause.name}: ${cause.message.trim()}`
  }
}

const isInside = (folder: string, name: string) => `${folder}${sep}`.includes(`${sep}${name}${sep}`)

/** The file of that name in the nearest folder that has it, from `folder` upwards. */
function hasAbove(folder: string, ...names: string[]): boolean {
  for (let at = folder; ; at = dirname(at)) {
    if (names.some((name) => existsSync(join(at, name)))) return true
    if (at === dirname(at)) return false
  }
}

/** The command that builds the addon of the package in `root`, by the package manager that put it there. */
function buildCommand(root: string): string {
  if (!isInside(root, 'node_modules') && !isInside(root, '.yarn')) return '`npm ci && npm run build`'
  // Yarn's .pnp.cjs says `pnp`, its node_modules linker leaves a file.
  if (process.versions.pnp !== undefined || isInside(root, '.yarn') || hasAbove(root, '.yarn-state.yml')) {
    return '`yarn rebuild cancelpoint`, with dependenciesMeta.cancelpoint.built or enableScripts set to true'
  }
  // With a name, pnpm rebuilds no dependency that came as a tarball.
  if (isInside(root, '.pnpm') || hasAbove(root, '.modules.yaml')) {
    return '`pnpm approve-builds`, or where it is approved `pnpm rebuild`'
  }
  if (isInside(root, '.bun') || hasAbove(dirname(dirname(root)), 'bun.lock', 'bun.lockb')) {
    return '`bun pm trust cancelpoint`'
  }
  if (hasAbove(root, '.yarn-integrity'))
    return '`npm rebuild cancelpoint`, or `yarn install --force` without --ignore-scripts'
  const global = isInside(root, join('lib', 'node_modules')) ? ' --global' : ''
  return `\`npm rebuild cancelpoint${global} --ignore-scripts=false\``
}

const more = 'docs/installing.md says more'

/** What to throw when the addon of the package in `root` was wanted and `thrown` was thrown. */
function addonError(root: string, thrown: unknown): AddonError {
  const { files, unread } = addonFiles(root)
  // node-gyp-build takes a folder that it cannot read for one that is empty.
  const cause = (unread ?? thrown) as NodeJS.ErrnoException
  const [said = ''] = String(cause.message).split('\n')
  const code = cause.code ?? ''
  const error = (errorCode: AddonErrorCode, message: string) => new AddonError(errorCode, message, cause)

  if (code === 'ENFILE' || /: Too many open files in system/.test(said)) {
    return error(
      'ENFILE',
      'this machine has no file descriptor left for loading the native addon (ENFILE): raise fs.file-max',
    )
  }
  if (code === 'EMFILE' || /: Too many open files/.test(said)) {
    return error(
      'EMFILE',
      'this process has no file descriptor left for loading the native addon (EMFILE): raise its limit (`ulimit -n`)',
    )
  }
  if (code === 'ERR_DLOPEN_DISABLED' || code === 'ERR_ACCESS_DENIED') {
    return error(
      'ERR_ADDON_DISABLED',
      'Node.js was started so that it loads no native addon: start it without --no-addons; ' +
        `--permission needs --allow-addons and --allow-fs-read=${root} beside it`,
    )
  }
  if (process.platform !== 'linux') {
    return error('ERR_ADDON_MISSING', `there is no native addon for ${process.platform}: cancelpoint runs on Linux`)
  }
  if (files.length === 0 && unread === undefined) {
    return error(
      'ERR_ADDON_MISSING',
      `its native addon is missing, because its install script was not run or failed: run ${buildCommand(root)} (${more})`,
    )
  }
  return error('ERR_ADDON_UNLOADABLE', `its native addon does not load here: ${unloadable(root, code, said)} (${more})`)
}

/** Why the system refuses the file, its own words, and what to do. */
function unloadable(root: string, code: string, said: string): string {
  if (code === 'EACCES' || /: Permission denied/.test(said)) return `${said}; let this user read the package`
  if (code === 'MODULE_NOT_FOUND') return `${said}; install cancelpoint again`
  const library = /^(?:Error loading shared library )?(lib(?!c\.)[\w.+-]+\.so[\w.]*):/.exec(said)?.[1]
  if (library !== undefined && /No such file/.test(said))
    return `it needs ${library}, which is not installed; install it`
  return `${whyRefused(said)}; build it on this system by ${buildCommand(root)}`
}

function whyRefused(said: string): string {
  if (/GLIBC_|GLIBCXX_|CXXABI_/.test(said)) return `it was built for a newer C or C++ library: ${said}`
  if (/ld-musl|ld-linux|libc\./.test(said)) return `it was built for another C library: ${said}`
  if (/ELF|No such file|Exec format|file data|too short/.test(said))
    return `it is not for ${process.arch}, or damaged: ${said}`
  return said
}

/** The addons at the places that node-gyp-build looks at, or why they could not be looked at. */
function addonFiles(root: string): { files: string[]; unread?: Error } {
  const files: string[] = []
  for (const folder of ['build/Release', 'build/Debug', `prebuilds/${process.platform}-${process.arch}`]) {
    try {
      files.push(...readdirSync(join(root, 'native', folder)).filter((file) => file.endsWith('.node')))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return { files, unread: error as Error }
    }
  }
  return { files }
}

module.exports = { addonError, buildCommand }
