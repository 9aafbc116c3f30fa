/**
 * npm's install step: a prebuilt addon where one fits, else a build from source with npm's node-gyp.
 * A missing compiler ends in one sentence instead of a page of node-gyp's output.
 */
import { spawnSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

const native = dirname(fileURLToPath(import.meta.url))
const require = createRequire(import.meta.url)

function prebuiltFits() {
  if (process.env.npm_config_build_from_source === 'true') return false
  try {
    const path = require('node-gyp-build').resolve(native)
    return path.includes('prebuilds') && Boolean(require(path))
  } catch {
    return false
  }
}

const missing = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).error !== undefined

function missingTools() {
  const compiler = process.env.CXX ?? 'c++'
  return [compiler, process.env.CC ?? 'cc', 'make', process.env.PYTHON ?? 'python3'].filter(missing)
}

function build() {
  // npm puts its own node-gyp on the path of install scripts; a development tree has one of its own.
  const result = spawnSync('node-gyp', ['rebuild', '-C', native], { encoding: 'utf8' })
  if (result.status === 0) return
  process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? result.error?.message}\n`)
  process.stderr.write("cancelpoint: its native addon did not build; the lines above are the compiler's.\n")
  process.exitCode = 1
}

if (!prebuiltFits()) {
  const tools = missingTools()
  if (tools.length === 0) build()
  else {
    process.stderr.write(
      `cancelpoint: cannot build its native addon without ${tools.join(', ')}; ` +
        'install a C++ toolchain first (Debian: apt-get install g++ make python3; Alpine: apk add g++ make python3).\n',
    )
    process.exitCode = 1
  }
}
