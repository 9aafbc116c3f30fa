/**
 * Ctrl-C, SIGTERM and SIGHUP: the first one cancels, a second one kills. The handlers stand as soon as this module is loaded,
 * and so it is loaded before all else: a signal that comes while the rest loads is not lost.
 */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
const controller = new AbortController()

/** Aborts once, on the first of the signals, whose name is its reason. From then on all of them have their default effect again. */
export const interrupted: AbortSignal = controller.signal

const interrupt = (signal: NodeJS.Signals) => {
  stopListening()
  controller.abort(signal)
}

/** Stops listening to the signals. They have their default effect again, unless somebody else listens to them. */
export function stopListening(): void {
  for (const each of signals) process.off(each, interrupt)
}

for (const each of signals) process.on(each, interrupt)

/** For a command to which SIGHUP says that its files are to be read again. It listens for it already. */
export function spareHangUp(): void {
  process.off('SIGHUP', interrupt)
}
