/** A certificate that signs itself, made for the run. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

/** `key.pem` and `cert.pem` in the directory: for localhost and 127.0.0.1. */
export function selfSignedInto(directory: string): { keyFile: string; certFile: string } {
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync('openssl', [...request.split(' '), ...names, '-keyout', keyFile, '-out', certFile], { stdio: 'pipe' })
  return { keyFile, certFile }
}
