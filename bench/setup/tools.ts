/** The tools of the side-by-side run: how each is started over the same targets, and how what it says is read. */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type Kind = 'up' | 'refused' | 'hanging' | 'name' | 'tls' | 'banner'

/** Whether a target of the kind serves. */
export const serves: Readonly<Record<Kind, boolean>> = {
  up: true,
  refused: false,
  hanging: false,
  name: true,
  tls: true,
  banner: false,
}

export interface Target {
  kind: Kind
  host: string
  port: number
}

export interface Stage {
  directory: string
  hostsFile: string
  certFile: string
  targets: readonly Target[]
}

/** What a tool said of the targets of one kind: how many are up, and how many it said anything of. */
export type Said = Map<Kind, { up: number; told: number }>

export interface Tool {
  name: string
  /** Undefined where it is not installed; what to install is in `needs`. */
  program: string | undefined
  needs: string
  /** The command. `write` puts a file into the stage's directory. */
  command(stage: Stage, write: (name: string, text: string) => string): string[]
  read(stdout: string, stderr: string, stage: Stage): Said
  /** For a server that is asked: one question a target, and what the answer says. */
  ask?(target: Target): { url: string; isUp(body: string): boolean }
}

export const timeoutMs = 2_000
const atOnce = 64
const perKind = (targets: readonly Target[], kind: Kind) => targets.filter((each) => each.kind === kind)
const kinds = Object.keys(serves) as Kind[]
const placeOf = ({ host, port }: Target) => `${host}:${port}`
const found = (...paths: string[]) => paths.find((path) => existsSync(path))

function count(said: readonly { kind: Kind; up: boolean }[]): Said {
  const counts: Said = new Map()
  for (const { kind, up } of said) {
    const { up: ups, told } = counts.get(kind) ?? { up: 0, told: 0 }
    counts.set(kind, { up: ups + Number(up), told: told + 1 })
  }
  return counts
}

const cancelpoint: Tool = {
  name: 'cancelpoint check',
  program: fileURLToPath(new URL('../../src/cli/main.js', import.meta.url)),
  needs: '',
  command({ targets, certFile }, write) {
    const group = (kind: Kind, probe: string) =>
      `  - { labels: { kind: ${kind} }, ${probe} targets: [${perKind(targets, kind).map(placeOf).join(', ')}] }`
    const probes: Partial<Record<Kind, string>> = {
      tls: `probe: { tls: { ca: ${certFile}, servername: localhost } },`,
      banner: 'probe: { steps: [{ expect: "^220" }] },',
    }
    const config = write('config.yml', `groups:\n${kinds.map((kind) => group(kind, probes[kind] ?? '')).join('\n')}\n`)
    return [process.execPath, this.program!, 'check', '--json', '--timeout', `${timeoutMs}ms`, '--config', config]
  },
  read(stdout) {
    const results = stdout.split('\n').filter((line) => line.startsWith('{'))
    return count(
      results.flatMap((line) => {
        const { status, labels } = JSON.parse(line) as { status: string; labels: { kind: Kind } }
        return status === 'unknown' ? [] : [{ kind: labels.kind, up: status === 'up' }]
      }),
    )
  },
}

const nmap: Tool = {
  name: 'nmap -sT',
  program: found('/usr/bin/nmap', '/usr/local/bin/nmap'),
  needs: 'nmap',
  command({ targets }, write) {
    const scans = kinds.map((kind) => {
      const [first, ...rest] = perKind(targets, kind)
      const list = write(`nmap-${kind}`, [first!, ...rest].map(({ host }) => host).join('\n'))
      const options = `-sT -Pn -T4 --max-retries 1 --max-rtt-timeout ${timeoutMs}ms ${kind === 'name' ? '' : '-n'}`
      return `echo '== ${kind}'; ${this.program} ${options} -p ${first!.port} -iL '${list}' -oG -`
    })
    return ['sh', '-c', scans.join('; ')]
  },
  read(stdout) {
    let kind: Kind = 'up'
    return count(
      stdout.split('\n').flatMap((line) => {
        if (line.startsWith('== ')) kind = line.slice(3) as Kind
        const state = /Ports: \d+\/(open|closed|filtered)\//.exec(line)?.[1]
        return state === undefined ? [] : [{ kind, up: state === 'open' }]
      }),
    )
  },
}

const checkTcp: Tool = {
  name: 'check_tcp',
  program: found('/usr/lib/nagios/plugins/check_tcp', '/usr/lib/monitoring-plugins/check_tcp'),
  needs: 'monitoring-plugins-basic',
  command({ targets }, write) {
    const more: Partial<Record<Kind, string>> = { tls: ' -S', banner: ' -e 220' }
    const lines = targets.map(({ kind, host, port }) => `${kind} -H ${host} -p ${port}${more[kind] ?? ''}`)
    const list = write('check-tcp', `${lines.join('\n')}\n`)
    const one = `kind=$0; ${this.program} -t ${timeoutMs / 1_000} "$@" >/dev/null 2>&1; echo "$kind $?"`
    return ['xargs', '-a', list, '-P', String(atOnce), '-L', '1', 'sh', '-c', one]
  },
  read(stdout) {
    const lines = stdout.split('\n').filter((line) => /^\w+ [012]$/.test(line))
    return count(lines.map((line) => ({ kind: line.split(' ')[0] as Kind, up: line.endsWith(' 0') })))
  },
}

const blackboxPort = 19_115

const blackbox: Tool = {
  name: 'blackbox_exporter',
  program: found('/usr/bin/prometheus-blackbox-exporter', '/usr/bin/blackbox_exporter'),
  needs: 'prometheus-blackbox-exporter',
  command({ certFile }, write) {
    const tcp = `prober: tcp, timeout: ${timeoutMs / 1_000}s`
    const config = write(
      'blackbox.yml',
      `modules:
  connect: { ${tcp}, tcp: { preferred_ip_protocol: ip4 } }
  tls: { ${tcp}, tcp: { preferred_ip_protocol: ip4, tls: true, tls_config: { ca_file: ${certFile}, server_name: localhost } } }
  banner: { ${tcp}, tcp: { preferred_ip_protocol: ip4, query_response: [{ expect: "^220" }] } }
`,
    )
    const listen = `--web.listen-address=127.0.0.1:${blackboxPort}`
    return [this.program!, `--config.file=${config}`, listen, '--log.level=error']
  },
  ask(target) {
    const module = target.kind === 'tls' || target.kind === 'banner' ? target.kind : 'connect'
    return {
      url: `http://127.0.0.1:${blackboxPort}/probe?target=${placeOf(target)}&module=${module}`,
      isUp: (body) => /^probe_success 1$/m.test(body),
    }
  },
  read: () => new Map(),
}

const waitOn: Tool = {
  name: 'wait-on',
  program: fileURLToPath(new URL('../../../node_modules/wait-on/bin/wait-on', import.meta.url)),
  needs: 'the npm package wait-on',
  command({ targets }) {
    const resources = targets.map((target) => `tcp:${placeOf(target)}`)
    const limits = ['--timeout', String(timeoutMs * 2), '--tcpTimeout', String(timeoutMs), '--interval', '250']
    return [process.execPath, this.program!, ...limits, ...resources]
  },
  /** It names those that it waits for still. */
  read(_, stderr, { targets }) {
    const [line] = /Timed out waiting for: (.*)/.exec(stderr) ?? []
    const missing = new Set(line?.match(/tcp:[^,\s]+/g) ?? [])
    return count(targets.map((target) => ({ kind: target.kind, up: !missing.has(`tcp:${placeOf(target)}`) })))
  },
}

export const tools: readonly Tool[] = [cancelpoint, nmap, checkTcp, blackbox, waitOn].map((tool) =>
  tool.program !== undefined && existsSync(tool.program) ? tool : { ...tool, program: undefined },
)

export const writerInto =
  (directory: string) =>
  (name: string, text: string): string => {
    const path = join(directory, name)
    writeFileSync(path, text)
    return path
  }
