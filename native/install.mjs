/**
 * The package's install script: a prebuilt addon where one loads, else a build from source with node-gyp. What a build
 * needs is node-gyp's to find (CC, CXX, npm_config_python and the rest); when it fails, one sentence says why.
 * package.json runs it as `node native/install.mjs node-gyp`: Yarn gives node-gyp to packages whose scripts name it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const native = dirname(fileURLToPath(import.meta.url))
const require = createRequire(import.meta.url)
/** The folder that Node.js is installed in: bin/node, include/node, lib/node_modules/npm. */
const prefix = dirname(dirname(process.execPath))

function prebuiltFits() {
  if (process.env.npm_config_build_from_source === 'true') return false
  try {
    const path = require('node-gyp-build').resolve(native)
    return path.includes('prebuilds') && Boolean(require(path))
  } catch {
    return false
  }
}

/** Commands that start node-gyp: the package manager's own, one on the path, that of the npm beside node. */
function nodeGyps(name = 'node-gyp') {
  const scripts = [
    process.env.npm_config_node_gyp,
    join(prefix, 'lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js'),
  ]
  const [given, beside] = scripts.map((script) => (script && existsSync(script) ? [[process.execPath, script]] : []))
  const onPath = (process.env.PATH ?? '').split(delimiter).some((folder) => existsSync(join(folder, name)))
  return [...given, ...(onPath ? [[name]] : []), ...beside]
}

/** Yarn puts a node-gyp on the path that starts nothing, where the package was not installed from a registry. */
const emptyShim = /Couldn't find a script name "node-gyp"/

/** Node's headers are mostly installed beside it: where they are this version's, node-gyp need not download them. */
function headers() {
  const version = join(prefix, 'include/node/node_version.h')
  if (process.env.npm_config_nodedir || !existsSync(version)) return []
  const text = readFileSync(version, 'utf8')
  const [major, minor, patch] = ['MAJOR', 'MINOR', 'PATCH'].map(
    (part) => new RegExp(`#define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1],
  )
  return `v${major}.${minor}.${patch}` === process.version ? [`--nodedir=${prefix}`] : []
}

const toolchain =
  'install a C++ toolchain first (Debian: apt-get install g++ make python3; Alpine: apk add g++ make python3)'

/** Failures with a known cause: what node-gyp, make or the shell print of it, and the sentence for it. */
const causes = [
  [/Could not find any Python/, `without Python 3; ${toolchain}, or name one in npm_config_python`],
  [/not found: make|spawn make ENOENT|make: not found/, `without make; ${toolchain}`],
  // gyp's Python, make and the shell each say in their own way that a program is missing.
  [
    /FileNotFoundError: .*: '(.+)'|(?:make: |sh: (?:\d+: |line \d+: )?)(\S+): (?:not found|No such file or directory|command not found|Permission denied)/,
    (name) => `without ${name}; ${toolchain}`,
  ],
  [
    /(?:getaddrinfo|connect) (?:ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT)|response downloading/,
    'without the headers of this Node.js, which could not be downloaded; name a folder that has include/node in npm_config_nodedir',
  ],
  [/ENOSPC|No space left on device/, 'on a full disk; make room and install again'],
  [
    /EACCES: permission denied|EROFS: |: Read-only file system/,
    `in ${native}, which this user may not write; install as a user who may`,
  ],
]

function explained(output) {
  for (const [pattern, sentence] of causes) {
    const match = pattern.exec(output)
    if (match) return typeof sentence === 'string' ? sentence : sentence(match[1] ?? match[2])
  }
}

function fail(sentence, output = '') {
  process.stderr.write(`${output}cancelpoint: ${sentence}.\n`)
  process.exitCode = 1
}

function build() {
  let output = ''
  for (const [program, ...args] of nodeGyps(process.argv[2])) {
    const result = spawnSync(program, [...args, 'rebuild', '-C', native, ...headers()], {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    })
    if (result.status === 0) return
    output = `${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`
    if (!emptyShim.test(output)) break
  }
  if (output === '' || emptyShim.test(output)) {
    fail(
      'cannot build its native addon without node-gyp; add it to your project first (npm: npm install --save-dev node-gyp; Yarn: yarn add --dev node-gyp)',
    )
    return
  }
  const sentence = explained(output)
  const shown = sentence === undefined || process.env.npm_config_loglevel === 'verbose' ? `${output}\n` : ''
  if (sentence === undefined)
    fail("its native addon did not build; the lines above are node-gyp's and the compiler's", shown)
  else fail(`cannot build its native addon ${sentence}`, shown)
}

if (!prebuiltFits()) build()
