/** The progress bar on standard error, and messages that do not tear it. */
import { SingleBar } from 'cli-progress'

export interface Progress {
  /** How many are done, and how many of them are not up. */
  update(done: number, notUp: number): void
  /** A line on standard error, above the bar. */
  note(line: string): void
  stop(): void
}

/** `total` undefined: how many there will be is not known, so there is a count and no bar. */
export function startProgress(total: number | undefined): Progress {
  const format =
    total === undefined
      ? '{value} checked, {notUp} not up, {duration_formatted}'
      : '[{bar}] {value}/{total}, {notUp} not up, {duration_formatted}'
  const bar = new SingleBar({
    format,
    stream: process.stderr,
    barsize: 30,
    clearOnComplete: true,
    // Redrawn after a note; Ctrl-C is the command's own affair.
    forceRedraw: true,
    gracefulExit: false,
    hideCursor: null,
    linewrap: null,
  })
  bar.start(total ?? 0, 0, { notUp: 0 })
  return {
    update: (done, notUp) => bar.update(done, { notUp }),
    note: (line) => process.stderr.write(`\r\u001b[K${line}\n`),
    stop: () => bar.stop(),
  }
}

/** Where standard error is not a terminal: the messages alone. */
export const silent: Progress = {
  update: () => {},
  note: (line) => process.stderr.write(`${line}\n`),
  stop: () => {},
}
