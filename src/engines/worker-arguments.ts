/**
 * What a worker is started with of this process's own arguments. A worker refuses V8's and the process's flags, and a preload
 * of the application's has no business in ours, so none is handed on but Yarn's .pnp.cjs: without it a worker finds no package.
 */
import { basename, resolve } from 'node:path'

/** The `-r` and `--require` entries of `execArgv` that name a .pnp.cjs. `folder`: where relative ones start, the process's at its start. */
export function workerArguments(execArgv: readonly string[], folder: string): string[] {
  return preloads(execArgv)
    .filter((file) => basename(file) === '.pnp.cjs')
    .flatMap((file) => ['--require', resolve(folder, file)])
}

function preloads(execArgv: readonly string[]): string[] {
  return execArgv.flatMap((argument, index) => {
    if (argument.startsWith('--require=')) return [argument.slice('--require='.length)]
    const next = execArgv[index + 1]
    return ['-r', '--require'].includes(argument) && next !== undefined ? [next] : []
  })
}

/** Of this process. Taken as the module loads: the folder may be another one later. */
export const ownWorkerArguments: readonly string[] = workerArguments(process.execArgv, process.cwd())
