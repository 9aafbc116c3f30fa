/** A TLS server on loopback in processes of its own: nginx, or Node's where there is none. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { selfSignedInto } from './certificate.js'

export interface TlsServer {
  port: number
  /** The file of its certificate, which signs itself. */
  certFile: string
  /** What it is, for the report. */
  name: string
  close(): Promise<void>
}

const nodeServer = fileURLToPath(new URL('./tls-close.js', import.meta.url))
const nginx = ['/usr/sbin/nginx', '/usr/bin/nginx'].find((path) => existsSync(path))

export async function openTlsServer(): Promise<TlsServer> {
  const directory = mkdtempSync(join(tmpdir(), 'cancelpoint-bench-tls-'))
  const { keyFile, certFile } = selfSignedInto(directory)
  const port = await freePort()
  writeFileSync(join(directory, 'conf'), configuration(directory, port, keyFile, certFile))
  const [command, ...args] = nginx
    ? [nginx, '-p', directory, '-e', 'stderr', '-c', join(directory, 'conf')]
    : [process.execPath, nodeServer, String(port), keyFile, certFile]
  const child = spawn(command!, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const close = async () => {
    if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit')
    rmSync(directory, { recursive: true })
  }
  for (let tries = 0; !(await accepts(port)); tries++) {
    if (child.exitCode !== null || tries > 500) {
      await close()
      throw new Error(`${command} does not listen`)
    }
    await wait(10)
  }
  return { port, certFile, name: nginx ? 'nginx, one worker' : 'a server of Node’s, for there is no nginx', close }
}

function configuration(directory: string, port: number, keyFile: string, certFile: string): string {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  const temporary = paths.map((name) => `${name}_temp_path ${join(directory, name)};`).join('\n')
  const tls = `ssl_certificate ${certFile}; ssl_certificate_key ${keyFile}; ssl_session_cache off;`
  return `daemon off; worker_processes 1; pid ${join(directory, 'pid')}; error_log stderr crit;
    events { worker_connections 4096; }
    http { access_log off; ${temporary} server { listen 127.0.0.1:${port} ssl backlog=4096; ${tls} return 200; } }`
}

async function freePort(): Promise<number> {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const { port } = holder.address() as { port: number }
  holder.close()
  await once(holder, 'close')
  return port
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
