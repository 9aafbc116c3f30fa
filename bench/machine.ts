/** What the figures were taken on: they mean nothing without it. */

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { promisify } from 'node:util'

import { compiler } from './peers.js'

export interface Machine {
  cpu: string
  cores: number
  memoryMiB: number
  kernel: string
  libc: string
  node: string
  cancelpoint: string
  compiler: string
  /** Over the minute before the run: above 0 something else was running. */
  load: number
  startedAt: string
}

export async function describeMachine(): Promise<Machine> {
  const [first] = cpus()
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    kernel: `Linux ${release()} ${process.arch}`,
    libc: libcVersion(),
    node: process.version,
    cancelpoint: packageVersion(),
    compiler: await compilerVersion(),
    load: loadavg()[0]!,
    startedAt: new Date().toISOString(),
  }
}

function libcVersion(): string {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime === undefined ? 'not glibc' : `glibc ${header.glibcVersionRuntime}`
}

function packageVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

async function compilerVersion(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(compiler, ['--version'])
    return stdout.split('\n', 1)[0]!
  } catch {
    return 'none'
  }
}
