/** What test/native/run.mjs and test/model/run.mjs share: one line a check; the last line says how many passed. */
import { execFile } from 'node:child_process'

let passed = 0
let failed = 0

/** `problem` is what is wrong, or undefined. */
export function report(name, problem) {
  if (problem === undefined) passed++
  else failed++
  console.log(problem === undefined ? `ok      ${name}` : `FAILED  ${name}: ${problem}`)
}

/** A tool that is missing fails the run where CI is set, and is told as skipped elsewhere. */
export function skip(name, reason) {
  if (process.env.CI) report(name, reason)
  else console.log(`skipped ${name}: ${reason}`)
}

export function finish() {
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

/** Runs a program to its end, or kills it. Never rejects: what it came to is for the caller to judge. */
export function run(command, args, { seconds = 600, cwd } = {}) {
  return new Promise((resolve) => {
    const settings = { cwd, timeout: seconds * 1_000, killSignal: 'SIGKILL', maxBuffer: 64 * 2 ** 20 }
    execFile(command, args, settings, (error, stdout, stderr) => {
      resolve({ code: error ? (error.code ?? error.signal) : 0, killed: error?.killed, output: stdout + stderr })
    })
  })
}

/** Runs jobs in their order, so many at once. */
export async function runJobs(jobs, atOnce) {
  const queue = [...jobs]
  const worker = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) await job()
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
}
