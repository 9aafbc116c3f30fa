/** Probes by name: the steps that show whether a service of a kind serves. */
import type { ConnectionOptions } from 'node:tls'
import type { ProbeStep } from '../../types.js'
import { http } from './http.js'
import { mysql, mysqlStarttls } from './mysql.js'
import type { PresetName, StarttlsName } from './names.js'
import { postgres, postgresStarttls } from './postgres.js'
import { redis } from './redis.js'
import { smtp, smtpSecured, smtpStarttls } from './smtp.js'
import { ssh } from './ssh.js'
import type { StatusRange } from './statuses.js'

export interface Preset {
  probe?: PresetName | undefined
  starttls?: StarttlsName | undefined
  /** For STARTTLS. Default: the target's own name, verified. */
  tls?: ConnectionOptions | undefined
  /** For http. */
  statuses?: readonly StatusRange[] | undefined
}

const plain = { redis, smtp, postgres, mysql, ssh } as const
const upgrades = { smtp: smtpStarttls, postgres: postgresStarttls, mysql: mysqlStarttls } as const
/** The same protocol once TLS is spoken: where its probe is what STARTTLS has already done, there is no more to do. */
const secured = { smtp: smtpSecured, postgres, mysql: [] } as const

/** STARTTLS first, then the probe. The two have to be of one protocol. */
export function presetSteps({ probe, starttls, tls, statuses }: Preset): readonly ProbeStep[] {
  if (starttls === undefined) return probe === 'http' ? http(statuses) : probe === undefined ? [] : plain[probe]
  const upgrade = upgrades[starttls].map((step) => ('starttls' in step && tls ? { starttls: tls } : step))
  return probe === starttls ? [...upgrade, ...secured[starttls]] : upgrade
}
