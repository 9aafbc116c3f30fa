/** Ctrl-C and SIGTERM: the first one cancels, the second one kills. */

/** Aborts once on the first SIGINT or SIGTERM; from then on both have their default effect again. */
export function onInterrupt(): AbortSignal {
  const controller = new AbortController()
  const interrupt = () => {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
    controller.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return controller.signal
}
