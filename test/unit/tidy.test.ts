import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { posix as path } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** Tracked files, and those that are about to be. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root })
  .toString()
  .split('\n')
  .filter((file) => file !== '' && existsSync(root + file))

const textOf = (file: string): string => readFileSync(root + file, 'utf8')
const under = (folder: string, pattern = /./) => files.filter((file) => file.startsWith(folder) && pattern.test(file))

/** `file:line: text` of every line that matches. */
function linesThat(pattern: RegExp, among: readonly string[], read: (file: string) => string = textOf): string[] {
  return among.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  )
}

/** The folders of src from the lowest up, a module that stands alone as its name. A module imports from its own and from those before it. */
const layers = [
  'core',
  'types',
  'options',
  'errors',
  'bridge',
  'engines',
  'names',
  'call',
  'check',
  'watch',
  'manager',
  'default-manager',
  'posix',
  'serve',
  'lab',
  'adapters',
  'cli',
  'index',
]

const layerOf = (module: string): number => layers.indexOf(module.split('/')[0]!)

const modules = under('src/', /\.c?ts$/)
const nameOf = (file: string) => file.replace(/^src\//, '').replace(/\.c?[jt]s$/, '')
const importsOf = (file: string): string[] =>
  [...textOf(file).matchAll(/\b(?:from|import)\s*\(?\s*'([^'\n]+)'/g)].map(([, specifier]) => specifier!)
const localImportsOf = (file: string) =>
  importsOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => nameOf(path.join(path.dirname(file), specifier)))

const code = files.filter(
  (file) => /^(src|native|workers|test|bench)\//.test(file) && /\.(c?ts|mjs|js|c|cc|h)$/.test(file),
)

describe('the modules', () => {
  it.each(modules)('%s is in a known folder, and imports from none above it', (file) => {
    const layer = layerOf(nameOf(file))
    expect(layer).toBeGreaterThanOrEqual(0)
    for (const imported of localImportsOf(file)) {
      expect(layerOf(imported), `${nameOf(file)} imports ${imported}`).toBeLessThanOrEqual(layer)
    }
  })

  it('import in no circle, types included', () => {
    const imports = new Map(modules.map((file) => [nameOf(file), localImportsOf(file)]))
    const done = new Set<string>()
    const circles: string[] = []
    const follow = (module: string, path: readonly string[]): void => {
      if (path.includes(module)) circles.push([...path.slice(path.indexOf(module)), module].join(' > '))
      else if (!done.has(module)) {
        for (const imported of imports.get(module) ?? []) follow(imported, [...path, module])
        done.add(module)
      }
    }
    for (const module of imports.keys()) follow(module, [])
    expect(circles).toEqual([])
  })

  it('are at most ten in the root, which is the public face', () => {
    expect(modules.filter((file) => !nameOf(file).includes('/')).length).toBeLessThanOrEqual(10)
  })

  it('of core import nothing but each other', () => {
    for (const file of under('src/core/')) {
      for (const specifier of importsOf(file)) expect(specifier, file).toMatch(/^\.\/[\w-]+\.js$/)
    }
  })

  it('reach the addon through one loader', () => {
    const filesThat = (pattern: RegExp) => linesThat(pattern, code).map((line) => line.split(':')[0])
    expect(filesThat(/require\('node-gyp-build'\)\(|dlopen\(/)).toEqual(['src/bridge/addon.cts'])
    expect(filesThat(/addon\.cjs'/)).toEqual(['src/bridge/binding.ts', 'workers/lanes.cts'])
    expect(localImportsOf('workers/lanes.cts')).toEqual(['bridge/binding', 'engines/lane-pool'])
  })
})

const native = under('native/', /\.(c|cc|h)$/)

/** Without comments and strings. */
const codeOf = (file: string): string =>
  textOf(file)
    .replace(/\/\*.*?\*\//gs, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/\/\/.*/g, '')
    .replace(/"(?:[^"\\\n]|\\.)*"/g, '""')

describe('the native code', () => {
  it('knows Node-API in addon.cc alone', () => {
    const users = native.filter((file) => /#include\s*[<"](napi|node_api|node|uv|v8)\b/.test(textOf(file)))
    expect(users).toEqual(['native/addon.cc'])
  })

  it('calls the kernel about descriptors through the seam alone', () => {
    const calls =
      'socket connect close bind listen accept4? getpeername getsockname getsockopt setsockopt fcntl ioctl p?poll ' +
      'p?select epoll_\\w+ dup[23]? open(at)? read write recv\\w* send\\w* shutdown'
    const bare = new RegExp(`(?<![\\w.>])(::)?(${calls.split(' ').join('|')})\\s*\\(`)
    expect(
      linesThat(
        bare,
        native.filter((file) => !file.endsWith('/syscalls.c')),
        codeOf,
      ),
    ).toEqual([])
  })

  it('opens every socket close-on-exec', () => {
    const opening = linesThat(/(?<![\w])socket\(/, ['native/syscalls.c'], codeOf).filter(
      (line) => !/int sys_/.test(line),
    )
    expect(opening.length).toBeGreaterThan(0)
    for (const line of opening) expect(line).toContain('SOCK_CLOEXEC')
  })

  it('enables cancellation in one place', () => {
    expect(linesThat(/PTHREAD_CANCEL_ENABLE/, native, codeOf)).toHaveLength(1)
    expect(linesThat(/pthread_detach|PTHREAD_CANCEL_ASYNCHRONOUS|PTHREAD_CREATE_DETACHED/, native, codeOf)).toEqual([])
  })

  it('is linked as a cancelled lane needs it', () => {
    const gyp = textOf('native/binding.gyp')
    for (const flag of ['-fexceptions', '-z,nodelete', '-shared-libgcc', '-Wall', '-Wextra'])
      expect(gyp).toContain(flag)
    expect(gyp).not.toContain('-static-libgcc')
    // Node's common.gypi takes it out of cflags. Set by the script alone, so no user's install fails for a warning.
    expect(JSON.parse(textOf('package.json')).scripts['build:native']).toMatch(/\bCFLAGS=-Werror CXXFLAGS=-Werror\b/)
    expect(gyp).not.toContain('-Werror')
  })
})

describe('the package', () => {
  it('has in it what the README links to', () => {
    const packed: string[] = JSON.parse(textOf('package.json')).files
    const linked = [...textOf('README.md').matchAll(/\]\(([^):#]+)\)/g)].map(([, path]) => path!)
    expect(linked.length).toBeGreaterThan(0)
    for (const path of linked) {
      expect(files).toContain(path)
      expect(packed.some((entry) => path === entry || path.startsWith(`${entry}/`)) || path === 'LICENSE', path).toBe(
        true,
      )
    }
  })
})

describe('every file', () => {
  it('is done', () => {
    expect(
      linesThat(
        /\b(TO[D]O|FI[X]ME|XX[X])\b/,
        files.filter((file) => file !== 'package-lock.json'),
      ),
    ).toEqual([])
  })

  it('runs all its tests: those that cannot run everywhere say so by skipIf', () => {
    expect(linesThat(/\b(it|test|describe)(\.\w+)*\.(only|skip|todo|fails)\b/, under('test/'))).toEqual([])
  })

  it('is short enough to be read', () => {
    const long = code.filter((file) => textOf(file).split('\n').length > 401)
    expect(long).toEqual([])
  })

  it('knows no machine but the reader’s, and no registry', () => {
    const places =
      /(?<![\w.:~-])\/(home|Users|root|mnt|work|opt)\/\w|\bregistry\.[\w-]+\.\w+|\/\/npm\.[\w-]+\.\w+|"resolve[d]":/
    expect(linesThat(places, files)).toEqual([])
  })
})
