/** The files in PEM that a configuration names: certificates to trust, and a certificate and key of one's own. */
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { createSecureContext, type SecureContext } from 'node:tls'
import { belongs, faultOfCertificates, faultOfKey } from '../../check/pem.js'
import { show } from '../../core/invalid-target.js'
import { printable } from '../../core/text.js'
import { reasonOf } from './entry.js'

/** The name of a file, and where it is written. */
export interface Named {
  path: string
  at: number
}

type Name = 'ca' | 'cert' | 'key'
export type TlsFiles = Partial<Record<Name, Named | undefined>>
type Mistake = (at: number, message: string) => void

const faultOf = { ca: faultOfCertificates, cert: faultOfCertificates, key: faultOfKey } as const
/** All the authorities of the world are a quarter of a megabyte. */
const bytesAtMost = 4_194_304

/** One context for all handshakes: to make one takes longer than a handshake. Undefined after a mistake was told. */
export function secureContextOf(files: TlsFiles, folder: string, mistake: Mistake): SecureContext | undefined {
  const texts: Partial<Record<Name, string>> = {}
  let mistaken = false
  const told = (at: number, message: string) => {
    mistaken = true
    mistake(at, message)
  }
  for (const name of ['ca', 'cert', 'key'] as const) {
    const file = files[name]
    if (!file) continue
    const is = `${name} is ${show(file.path)}`
    try {
      const text = textOf(resolve(folder, file.path))
      const fault = faultOf[name](text)
      if (fault) told(file.at, `${is}, which ${fault}`)
      texts[name] = text
    } catch (error) {
      told(file.at, `${is}, which cannot be read: ${reasonOf(error)}`)
    }
  }
  const { cert, key } = texts
  if (!mistaken && cert !== undefined && key !== undefined && !belongs(key, cert))
    told(files.key!.at, `key is ${show(files.key!.path)}, which does not belong to the certificate of cert`)
  return mistaken ? undefined : made(files, texts, told)
}

function made(files: TlsFiles, texts: Partial<Record<Name, string>>, mistake: Mistake): SecureContext | undefined {
  try {
    return createSecureContext(texts)
  } catch (error) {
    // A key that is too short for OpenSSL, say.
    const names = (['ca', 'cert', 'key'] as const).filter((name) => files[name])
    const paths = names.map((name) => `${name} ${show(files[name]!.path)}`).join(', ')
    mistake(files[names[0]!]!.at, `${paths}: OpenSSL does not take it: ${printable((error as Error).message)}`)
    return undefined
  }
}

/** One character a byte. */
function textOf(path: string): string {
  const found = statSync(path)
  if (found.isDirectory()) throw new Error('it is a directory')
  if (found.size > bytesAtMost) throw new Error('it is larger than 4 MiB')
  if (found.isCharacterDevice() || found.isBlockDevice() || found.isSocket()) throw new Error('it is no file')
  return readFileSync(path, 'latin1')
}
