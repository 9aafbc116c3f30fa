/** `--listen`: the page, the metrics and the API of a watch. */
import { AllowList } from '../../core/allow-list.js'
import type { ConnectionManager } from '../../manager.js'
import { pageFiles } from '../../serve/page-files.js'
import { type Server, startServer } from '../../serve/server.js'
import type { Watch } from '../../watch/watch.js'
import { UsageError } from '../exit-code.js'
import { versionOfPackage } from '../version.js'
import type { WatchFlags } from './flags.js'

/** @throws UsageError where it cannot listen, and for a network that cannot be read */
export async function serverFor(
  { listen, probeAllow, seriesAtMost }: WatchFlags,
  watch: Watch,
  manager: ConnectionManager,
  say: (line: string) => void,
): Promise<(Server & AsyncDisposable) | undefined> {
  if (listen === undefined) {
    if (probeAllow) throw new UsageError('--probe-allow is for --listen: add that')
    return undefined
  }
  try {
    const allowed = probeAllow && new AllowList(probeAllow)
    const version = versionOfPackage()
    const page = pageFiles()
    const server = await startServer({ watch, manager, listen, seriesAtMost, probeAllow: allowed, version, page })
    say(`Serving on ${server.url}`)
    if (server.warning) say(server.warning)
    return Object.assign(server, { [Symbol.asyncDispose]: () => server.close() })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
