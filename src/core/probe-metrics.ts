/** The metrics of one probe, with the names of Prometheus's blackbox_exporter where it has one. Pure. */
import { type Family, labelText, seconds } from './exposition.js'

/** Of a CheckResult what is told. */
export interface Probed {
  readonly status: 'up' | 'down' | 'unknown'
  readonly address?: string
  readonly errnoClass?: string
  readonly code?: string
  readonly phase?: string
  readonly step?: number
  readonly connectMs?: number
  readonly nameMs?: number
  readonly tlsMs?: number
  readonly stepsMs?: number
  readonly certificate?: {
    readonly validTo: number
    /** Absent where nobody keeps which one it is. */
    readonly subject?: string
    readonly issuer?: string
    readonly fingerprint256?: string
  }
}

/** The same, from which its duration can be told. */
export interface Timed extends Probed {
  readonly attempts: number
  readonly startedAt: number
}

export interface ProbeSubject {
  readonly result: Probed
  readonly durationMs: number
}

/** 1 for up; what a probe whose end cannot be told has here is `unknown`'s. */
const success = (unknown: number | undefined): Family<ProbeSubject> => ({
  name: 'probe_success',
  help:
    unknown === undefined
      ? '1 for up, 0 for down. A target that is unknown has no sample: see cancelpoint_probe_unknown.'
      : '1 for up, 0 for down or unknown: see cancelpoint_probe_unknown.',
  type: 'gauge',
  samples: ({ result: { status } }, add) => add(status === 'unknown' ? unknown : Number(status === 'up')),
})

const others: readonly Family<ProbeSubject>[] = [
  {
    name: 'cancelpoint_probe_unknown',
    help: '1 where it cannot be told whether the target is up, and 0 where it can.',
    type: 'gauge',
    samples: ({ result: { status } }, add) => add(Number(status === 'unknown')),
  },
  {
    name: 'probe_duration_seconds',
    help: 'How long the probe took to complete.',
    type: 'gauge',
    samples: ({ durationMs }, add) => add(seconds(durationMs)),
  },
  {
    name: 'probe_dns_lookup_time_seconds',
    help: 'How long it took until the first address of the name was known.',
    type: 'gauge',
    samples: ({ result: { nameMs } }, add) => add(seconds(nameMs)),
  },
  {
    name: 'cancelpoint_probe_phase_duration_seconds',
    help: 'How long connect(2), the TLS handshakes and the other steps took.',
    type: 'gauge',
    samples({ result: { connectMs, tlsMs, stepsMs } }, add) {
      add(seconds(connectMs), 'phase="connect"')
      add(seconds(tlsMs), 'phase="tls"')
      add(seconds(stepsMs), 'phase="steps"')
    },
  },
  {
    name: 'probe_ip_protocol',
    help: 'Whether the address is of IP 4 or 6.',
    type: 'gauge',
    samples: ({ result: { address } }, add) => add(address === undefined ? undefined : address.includes(':') ? 6 : 4),
  },
  {
    name: 'probe_ssl_earliest_cert_expiry',
    help: 'When the certificate of the target ends, in unixtime.',
    type: 'gauge',
    samples: ({ result: { certificate } }, add) => add(seconds(certificate?.validTo)),
  },
  {
    name: 'probe_ssl_last_chain_info',
    help: 'Which certificate the target has.',
    type: 'gauge',
    samples({ result: { certificate } }, add) {
      if (certificate?.fingerprint256 === undefined) return
      const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
      const { subject = '', issuer = '' } = certificate
      const pairs = [labelText('fingerprint_sha256', fingerprint), labelText('issuer', issuer)]
      add(1, [...pairs, labelText('subject', subject)].join(','))
    },
  },
  {
    name: 'probe_failed_due_to_regex',
    help: '1 where the target did not say what was expected.',
    type: 'gauge',
    samples({ result: { stepsMs, step, code } }, add) {
      add(stepsMs === undefined && step === undefined ? undefined : Number(code === 'ERR_EXPECT'))
    },
  },
  {
    name: 'cancelpoint_probe_failure_info',
    help: 'Why a target is not up.',
    type: 'gauge',
    samples({ result: { status, code = 'unknown', errnoClass = 'unknown', phase = '' } }, add) {
      if (status === 'up') return
      add(1, [labelText('code', code), labelText('errno_class', errnoClass), labelText('phase', phase)].join(','))
    },
  },
]

/** Of a result that stands for its target: what cannot be told is left out. */
export const resultFamilies: readonly Family<ProbeSubject>[] = [success(undefined), ...others]

/** Of a probe that was asked for: whoever asked waits for probe_success, as blackbox_exporter has it. */
export const probeFamilies: readonly Family<ProbeSubject>[] = [success(0), ...others]

/**
 * How long it took, as `now`, when its result has just come. Of a target that is up, its phases. Of another one the phase that
 * ended it may have no time of its own, and so it is counted from the beginning.
 */
export function durationMsOf(result: Timed, now: number): number {
  const { status, attempts, startedAt, nameMs = 0, connectMs = 0, tlsMs = 0, stepsMs = 0 } = result
  const phases = nameMs + connectMs + tlsMs + stepsMs
  return status === 'up' || attempts === 0 ? phases : Math.max(phases, now - startedAt)
}
