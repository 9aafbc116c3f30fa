// Watches what it is told to, in a process of its own. Says each change as a line of JSON, then, asked by a line on its standard
// input, its summary; it ends with its standard input.
import { createInterface } from 'node:readline'
import { ConnectionManager } from 'cancelpoint'

const { targets, options } = JSON.parse(process.argv[2])
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`)
const manager = new ConnectionManager()
const watch = manager.watch(targets, options)
const taking = (async () => {
  for await (const { target, from, to, last } of watch) say({ change: { target, from, to, code: last.code } })
})()
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'block') {
    const until = performance.now() + 1_500
    while (performance.now() < until);
  }
  say({ summary: watch.summary(), frozenOnce: watch.summary().frozen })
}
await watch[Symbol.asyncDispose]()
await taking
await manager.close()
