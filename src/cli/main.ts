#!/usr/bin/env node
/** The command. It can be interrupted from its first line on: before the rest is loaded, which takes a while. */
import { failuresOf } from './failure.js'

const fail = failuresOf('cancelpoint')
try {
  const { loadModules } = await import('./few-descriptors.js')
  await loadModules()
  const { runProgram } = await import('./program.js')
  await runProgram()
} catch (error) {
  fail(error)
}
