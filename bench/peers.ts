/** The contestants and the server written in C: compiled for the run, where there is a compiler. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

export const compiler = process.env.CC ?? 'cc'

const sources = fileURLToPath(new URL('../../bench/peers/', import.meta.url))
const flags = ['-std=gnu11', '-O2', '-pthread', '-Wall', '-Wextra']

export type PeerName = 'accept_close' | 'connect_blocking' | 'connect_epoll' | 'connect_uring' | 'rusage'

/** Compiled programs, each on first use, in a directory of their own until `close`. */
export class Peers implements AsyncDisposable {
  readonly #directory: string
  readonly #built = new Map<PeerName, Promise<string>>()

  private constructor(directory: string) {
    this.#directory = directory
  }

  static async open(): Promise<Peers> {
    return new Peers(await mkdtemp(join(tmpdir(), 'cancelpoint-bench-')))
  }

  /**
   * The program's path.
   * @throws MissingCompiler where there is none; the compiler's own words where it fails.
   */
  path(name: PeerName): Promise<string> {
    let path = this.#built.get(name)
    if (!path) {
      path = compile(name, this.#directory)
      this.#built.set(name, path)
    }
    return path
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true })
  }
}

export class MissingCompiler extends Error {
  constructor() {
    super(`no C compiler: '${compiler}' is not there`)
  }
}

async function compile(name: PeerName, directory: string): Promise<string> {
  const path = join(directory, name)
  try {
    await promisify(execFile)(compiler, [...flags, '-o', path, join(sources, `${name}.c`)])
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? new MissingCompiler() : error
  }
  return path
}

/** Runs a program that prints one line of JSON. */
export async function runPeer<T>(path: string, args: readonly (string | number)[]): Promise<T> {
  const { stdout } = await promisify(execFile)(path, args.map(String))
  return JSON.parse(stdout) as T
}

/** A program that prints a line of JSON when it is up, and another after the end of its input. */
export interface Served<Up, Down> {
  up: Up
  stop(): Promise<Down>
}

export async function serve<Up, Down>(command: string, args: readonly string[] = []): Promise<Served<Up, Down>> {
  const child: ChildProcess = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const read = async <T>(): Promise<T> => {
    const { done, value } = await lines.next()
    if (done) throw new Error(`${command} ended before it said anything`)
    return JSON.parse(value) as T
  }
  const failed = new Promise<never>((_, reject) => child.once('error', reject))
  return {
    up: await Promise.race([read<Up>(), failed]),
    stop: () => {
      child.stdin!.end()
      return read<Down>()
    },
  }
}
