/** Debian's own servers on loopback: free ports, a temporary folder, an unprivileged user. Ended with the test file. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll } from 'vitest'

interface Spec {
  /** Debian's package, and what it has to bring. */
  package: string
  programs: string[]
  /** What it says on standard error once it is of use; without it, it is as soon as it listens. */
  ready?: RegExp
  /** It takes root to start, and leaves that itself. */
  asRoot?: true
  /** Makes what the server needs in `directory`, and says how to start it. */
  prepare(at: { directory: string; port: number; run: (program: string, ...options: string[]) => void }): string[]
}

export type ServerName = 'postgres' | 'mariadb' | 'redis' | 'nginx' | 'exim' | 'sshd'

/** Servers speak TLS where these are in their folder. */
const tlsFiles = { cert: 'cert.pem', key: 'key.pem' }

const specs: Record<ServerName, Spec> = {
  postgres: {
    package: 'postgresql',
    programs: ['postgres', 'initdb'],
    ready: /ready to accept connections/,
    prepare({ directory, port, run }) {
      const data = join(directory, 'data')
      run('initdb', '-D', data, '-U', 'test', '--auth', 'trust', '--no-sync')
      const settings = ['fsync=off', 'listen_addresses=127.0.0.1', `unix_socket_directories=${directory}`]
      if (existsSync(join(directory, tlsFiles.cert))) {
        settings.push('ssl=on', `ssl_cert_file=${join(directory, tlsFiles.cert)}`)
        settings.push(`ssl_key_file=${join(directory, tlsFiles.key)}`)
      }
      return ['postgres', '-D', data, '-p', `${port}`, ...settings.flatMap((setting) => ['-c', setting])]
    },
  },
  mariadb: {
    package: 'mariadb-server-core mariadb-client-core',
    programs: ['mariadbd', 'mariadb-install-db', 'my_print_defaults'],
    prepare({ directory, port, run }) {
      const data = join(directory, 'data')
      run('mariadb-install-db', '--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal')
      const files = [
        `--datadir=${data}`,
        `--socket=${join(directory, 'socket')}`,
        `--pid-file=${join(directory, 'pid')}`,
      ]
      if (existsSync(join(directory, tlsFiles.cert)))
        for (const kind of ['cert', 'key'] as const) files.push(`--ssl-${kind}=${join(directory, tlsFiles[kind])}`)
      return ['mariadbd', '--no-defaults', ...files, `--port=${port}`, '--bind-address=127.0.0.1']
    },
  },
  redis: {
    package: 'redis-server',
    programs: ['redis-server'],
    prepare: ({ directory: dir, port }) => [
      ...['redis-server', '--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', ''],
    ],
  },
  exim: {
    package: 'exim4-daemon-light',
    programs: ['exim4'],
    asRoot: true,
    prepare({ directory, port, run }) {
      run('chown', '-R', 'Debian-exim', directory)
      const lines = [
        'primary_hostname = localhost',
        `daemon_smtp_ports = ${port}`,
        'local_interfaces = 127.0.0.1',
        `spool_directory = ${directory}`,
        `log_file_path = ${join(directory, '%slog')}`,
        `pid_file_path = ${join(directory, 'pid')}`,
        'tls_advertise_hosts = *',
        `tls_certificate = ${join(directory, tlsFiles.cert)}`,
        `tls_privatekey = ${join(directory, tlsFiles.key)}`,
        'host_lookup =',
        'rfc1413_query_timeout = 0s',
        'keep_environment =',
      ]
      writeFileSync(join(directory, 'conf'), lines.join('\n'))
      return ['exim4', '-bdf', '-C', join(directory, 'conf')]
    },
  },
  sshd: {
    package: 'openssh-server',
    programs: ['sshd', 'ssh-keygen'],
    prepare({ directory, port, run }) {
      const key = join(directory, 'host')
      run('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key)
      const settings = [`HostKey=${key}`, 'PidFile=none', 'ListenAddress=127.0.0.1']
      return ['sshd', '-D', '-e', '-f', '/dev/null', '-p', `${port}`, ...settings.flatMap((each) => ['-o', each])]
    },
  },
  nginx: {
    package: 'nginx',
    programs: ['nginx'],
    prepare({ directory, port }) {
      const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      const temporary = paths.map((name) => `${name}_temp_path ${join(directory, name)};`).join('\n')
      const answer = 'default_type text/plain; return 200 "$scheme $ssl_server_name $ssl_alpn_protocol $request_uri";'
      const tls = `ssl_certificate ${join(directory, 'cert.pem')}; ssl_certificate_key ${join(directory, 'key.pem')};`
      writeFileSync(
        join(directory, 'conf'),
        `daemon off; pid ${join(directory, 'pid')}; error_log stderr; events {}
         http { access_log off; ${temporary} server { listen 127.0.0.1:${port} ssl; ${tls} location / { ${answer} } } }`,
      )
      return ['nginx', '-p', directory, '-e', 'stderr', '-c', join(directory, 'conf')]
    },
  },
}

const postgresqls = '/usr/lib/postgresql'
const folders = [
  ...(process.env.PATH ?? '').split(':'),
  ...(existsSync(postgresqls) ? readdirSync(postgresqls).map((version) => join(postgresqls, version, 'bin')) : []),
  '/usr/sbin',
]
const find = (program: string) => folders.map((folder) => join(folder, program)).find((path) => existsSync(path))

/** Why tests against it are skipped, or undefined. Where all has to be there, as in CI, they are not skipped but fail. */
export function lackingServer(name: ServerName): string | undefined {
  const { asRoot, programs } = specs[name]
  const missing = programs.find((program) => !find(program))
  if (asRoot && !missing && !isRoot) return `it takes root to start ${programs[0]}`
  return missing && !process.env.CI ? `no ${missing} here: install ${specs[name].package}` : undefined
}

/** For the name of a test that is skipped. */
export const because = (lacking: string | undefined) => (lacking ? `: ${lacking}` : '')

const isRoot = process.getuid?.() === 0

/** Root runs them as nobody: PostgreSQL and MariaDB refuse root. */
const nobody = isRoot ? { uid: 65_534, gid: 65_534 } : {}

export interface Server {
  host: string
  port: number
}

/** Started before the file's tests and ended after them. `files` are put into its folder. */
export function useServer(name: ServerName, files: Record<string, string> = {}): Server {
  const server: Server = { host: '127.0.0.1', port: 0 }
  let child: ChildProcess | undefined
  const directory = mkdtempSync(join(tmpdir(), `cancelpoint-${name}-`))
  beforeAll(async () => {
    if (lackingServer(name)) return
    for (const [file, text] of Object.entries(files)) writeFileSync(join(directory, file), text, { mode: 0o600 })
    if (nobody.uid)
      for (const path of ['.', ...Object.keys(files)]) chownSync(join(directory, path), nobody.uid, nobody.gid)
    server.port = await freePort()
    const user = specs[name].asRoot ? {} : nobody
    const run = (program: string, ...options: string[]) =>
      void execFileSync(programAt(program), options, { ...user, cwd: directory, stdio: 'pipe' })
    const [program, ...options] = specs[name].prepare({ directory, port: server.port, run })
    child = spawn(programAt(program!), options, { ...user, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
    process.once('exit', () => child?.kill('SIGKILL'))
    await listening(child, server, specs[name].ready)
  }, 60_000)
  afterAll(async () => {
    if (child?.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit')
    rmSync(directory, { recursive: true })
  })
  return server
}

function programAt(program: string): string {
  const path = find(program)
  if (!path) throw new Error(`no ${program} here: CONTRIBUTING.md says what to install`)
  return path
}

async function freePort(): Promise<number> {
  const holder = net.createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as AddressInfo
  holder.close()
  await once(holder, 'close')
  return port
}

/** Waits until it accepts and is ready; what it said on the way is told if it ends instead. */
async function listening(child: ChildProcess, { host, port }: Server, ready = /^/): Promise<void> {
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  while (!(ready.test(said) && (await accepts(port, host)))) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended: ${said}`)
    await wait(20)
  }
}

async function accepts(port: number, host: string): Promise<boolean> {
  const probe = net.connect(port, host)
  try {
    await once(probe, 'connect')
    return true
  } catch {
    return false
  } finally {
    probe.destroy()
  }
}
