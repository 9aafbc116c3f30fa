/**
 * The only loader of the addon, for src/bridge/binding.ts and the workers. CommonJS, because a worker may be ended at any moment:
 * within a require() of an ES module that aborts the process, by assertions of Node 20's, 22's and 26's, and within an
 * import() Node 20 leaves the descriptor open that it reads the file from.
 */
const { join } = require('node:path')

function load(): unknown {
  const root = join(__dirname, '..', '..', '..')
  try {
    return require('node-gyp-build')(join(root, 'native'))
  } catch (error) {
    throw require('./addon-error.cjs').addonError(root, error)
  }
}

module.exports = load()
