/** A terminal that is closed while the command runs. */
import { closeSync, openSync } from 'node:fs'
import { isatty } from 'node:tty'

/**
 * As it exits Node.js puts the settings of its terminals back, and aborts, with a dump, where one has gone. It leaves alone what
 * has become another file, so each that has gone becomes /dev/null.
 */
export function outliveTerminals(): void {
  const terminals = [0, 1, 2].filter(isatty)
  process.on('exit', () => {
    for (const fd of terminals) {
      if (isatty(fd)) continue
      closeSync(fd)
      // Takes the lowest number that is free, which is this one: those below are open.
      openSync('/dev/null', 'r+')
    }
  })
}
