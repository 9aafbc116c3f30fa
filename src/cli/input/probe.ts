/** Reads the `probe` mapping of a configuration. Each mistake in it is told with its place. */
import type { ConnectionOptions } from 'node:tls'
import { presetNames, starttlsNames } from '../../check/presets/names.js'
import { statusesExpected, statusRanges } from '../../check/presets/statuses.js'
import { stepOf } from '../../check/script.js'
import { protocolsOf } from '../../core/alpn.js'
import { show } from '../../core/invalid-target.js'
import { stepsAtMost } from '../../core/limits.js'
import { printable } from '../../core/text.js'
import type { ProbeStep } from '../../types.js'
import { serverName } from '../arguments.js'
import { describe, type Node } from './document.js'
import { isNothing, membersOf } from './file-sd.js'
import type { ProbeSettings } from './probe-settings.js'
import { type Named, secureContextOf } from './tls-files.js'

/** Tells what is wrong at an offset. */
type Mistake = (at: number, message: string) => void
type MapNode = Node & { kind: 'map' }

const probeNames = ['tls', 'servername', 'starttls', 'preset', 'expectStatus', 'steps'] as const
const tlsNames = ['servername', 'ca', 'cert', 'key', 'alpn', 'insecure'] as const
const stepNames = ['send', 'expect', 'maxBytes', 'starttls'] as const

/** `folder`: where files that it names are looked for. Undefined where something is wrong with it. */
export function readProbe(node: Node, folder: string, mistake: Mistake): ProbeSettings | undefined {
  if (node.kind !== 'map') {
    mistake(node.at, `probe is ${describe(node, show)}: expected a mapping such as { tls: true }`)
    return undefined
  }
  let mistaken = false
  const options = new ProbeReader(folder, (at, message) => {
    mistaken = true
    mistake(at, message)
  }).probe(node)
  return mistaken ? undefined : options
}

class ProbeReader {
  readonly #folder: string
  readonly #mistake: Mistake

  constructor(folder: string, mistake: Mistake) {
    this.#folder = folder
    this.#mistake = mistake
  }

  probe(node: MapNode): ProbeSettings {
    const wide = node.entries.find(({ key }) => key === 'certMinDays')
    if (wide) this.#mistake(wide.keyAt, 'certMinDays is for the whole check: give it at the top level')
    const entries = node.entries.filter((entry) => entry !== wide)
    const members = membersOf({ ...node, entries }, probeNames, this.#mistake)
    const { tls, servername, starttls, preset, expectStatus, steps } = members
    const options: ProbeSettings = {
      tls: tls && this.#tls(tls, 'tls'),
      servername: servername && this.#serverName(servername),
      starttls: starttls && this.#oneOf(starttls, 'starttls', starttlsNames),
      preset: preset && this.#oneOf(preset, 'preset', presetNames),
      expectStatus: expectStatus && this.#status(expectStatus),
      steps: steps && this.#steps(steps),
    }
    this.#refuse(options, members)
    return options
  }

  /** What makes no sense together. */
  #refuse(options: ProbeSettings, nodes: Partial<Record<(typeof probeNames)[number], Node>>): void {
    const { tls, servername, starttls, preset, expectStatus } = options
    const upgrades = options.steps?.some((step) => 'starttls' in step)
    const rules: readonly [applies: unknown, node: Node | undefined, message: string][] = [
      [
        tls && starttls,
        nodes.starttls,
        'starttls and tls exclude each other: TLS begins at once, or is asked for later',
      ],
      [tls && upgrades, nodes.steps, 'a step starttls and tls exclude each other: give one of them'],
      [starttls && upgrades, nodes.steps, 'a step starttls and starttls exclude each other: give one of them'],
      [
        servername !== undefined && tls === false,
        nodes.servername,
        'servername is given, and tls is false: leave out one',
      ],
      [
        servername !== undefined && typeof tls === 'object' && tls.servername !== undefined,
        nodes.servername,
        'servername is given twice, here and in tls: give it once',
      ],
      [
        servername !== undefined && upgrades,
        nodes.servername,
        'servername belongs into the step: starttls: { servername }',
      ],
      [preset && nodes.steps, nodes.steps, 'steps and preset exclude each other: a preset is steps already'],
      [expectStatus && preset !== 'http', nodes.expectStatus, 'expectStatus needs preset: http'],
      [
        starttls && preset && starttls !== preset,
        nodes.preset,
        `preset: ${preset} and starttls: ${starttls} are two protocols: give one of them`,
      ],
    ]
    for (const [applies, node, message] of rules) if (applies && node) this.#mistake(node.at, message)
  }

  #tls(node: Node, name: string): boolean | ConnectionOptions | undefined {
    if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value
    if (node.kind !== 'map') {
      this.#mistake(
        node.at,
        `${name} is ${describe(node, show)}: expected true, false or a mapping such as { ca: ca.pem }`,
      )
      return undefined
    }
    const { servername, ca, cert, key, alpn, insecure } = membersOf(node, tlsNames, this.#mistake)
    if (!cert !== !key)
      this.#mistake((cert ?? key)!.at, `${cert ? 'cert' : 'key'} needs ${cert ? 'key' : 'cert'} beside it`)
    const options: ConnectionOptions = {}
    if (servername) options.servername = this.#serverName(servername)
    if (alpn) options.ALPNProtocols = this.#protocols(alpn)
    if (insecure && this.#boolean(insecure, 'insecure')) {
      options.rejectUnauthorized = false
      if (ca) this.#mistake(ca.at, 'ca and insecure exclude each other: insecure trusts everybody')
    }
    const files = { ca: this.#file(ca, 'ca'), cert: this.#file(cert, 'cert'), key: this.#file(key, 'key') }
    if (files.ca || files.cert || files.key) options.secureContext = secureContextOf(files, this.#folder, this.#mistake)
    return options
  }

  #file(node: Node | undefined, name: string): Named | undefined {
    const path = node && this.#text(node, name, 'the name of a file in PEM')
    return path === undefined ? undefined : { path, at: node!.at }
  }

  #protocols(node: Node): string[] {
    if (node.kind !== 'list') {
      this.#mistake(node.at, `alpn is ${describe(node, show)}: expected a list such as [h2, http/1.1]`)
      return []
    }
    return node.items.flatMap((item) => {
      const name = this.#text(item, 'alpn', 'a protocol such as h2')
      const protocols = protocolsOf([name ?? 'h2'])
      if ('fault' in protocols) this.#mistake(item.at, `alpn ${protocols.fault}`)
      return name === undefined ? [] : [name]
    })
  }

  #serverName(node: Node): string | undefined {
    const name = this.#text(node, 'servername', 'a host name such as api.internal')
    try {
      return name === undefined ? undefined : serverName(name)
    } catch (error) {
      const { message } = error as Error
      this.#mistake(node.at, `servername is ${show(name)}: ${message.charAt(0).toLowerCase()}${message.slice(1, -1)}`)
      return undefined
    }
  }

  #status(node: Node): string | undefined {
    const text = node.kind === 'scalar' ? (node.source ?? String(node.value)) : ''
    if (statusRanges(text)) return text
    this.#mistake(node.at, `expectStatus is ${describe(node, show)}: expected ${statusesExpected}`)
    return undefined
  }

  #steps(node: Node): ProbeStep[] | undefined {
    if (node.kind !== 'list') {
      this.#mistake(
        node.at,
        `steps is ${describe(node, show)}: expected a list such as [{ send: "PING\\r\\n" }, { expect: PONG }]`,
      )
      return undefined
    }
    if (node.items.length > stepsAtMost)
      this.#mistake(node.at, `steps has ${node.items.length} steps: expected at most ${stepsAtMost}`)
    return node.items.map((item) => this.#ready(item)).filter((step) => step !== undefined)
  }

  /** A step that a check can take: what it would refuse is told at the step, and not only at all of them. */
  #ready(node: Node): ProbeStep | undefined {
    const step = this.#step(node)
    if (step === undefined) return undefined
    try {
      stepOf(step, 'the step')
      return step
    } catch (error) {
      this.#mistake(node.at, printable((error as Error).message))
      return undefined
    }
  }

  #step(node: Node): ProbeStep | undefined {
    const one = 'expected one of { send }, { expect } and { starttls }'
    if (node.kind !== 'map') {
      this.#mistake(node.at, `the step is ${describe(node, show)}: ${one}`)
      return undefined
    }
    const { send, expect, maxBytes, starttls } = membersOf(node, stepNames, this.#mistake)
    const given = [send, expect, starttls].filter((each) => each !== undefined)
    if (given.length !== 1) {
      this.#mistake(
        node.at,
        `the step has ${given.length === 0 ? 'none' : 'several'} of send, expect and starttls: ${one}`,
      )
      return undefined
    }
    if (maxBytes && !expect) this.#mistake(maxBytes.at, 'maxBytes needs expect beside it')
    if (send) return this.#send(send)
    return expect ? this.#expect(expect, maxBytes) : this.#upgrade(starttls!)
  }

  #send(node: Node): ProbeStep | undefined {
    const text = this.#text(node, 'send', 'a text')
    if (text === undefined) return undefined
    if (node.kind === 'scalar' && node.style !== 'QUOTE_DOUBLE' && /\\[rnt]/.test(text)) {
      this.#mistake(node.at, `send is ${show(text)}: write it in double quotes, where YAML reads \\r, \\n and \\t`)
    }
    return { send: text }
  }

  #expect(node: Node, maxBytes: Node | undefined): ProbeStep | undefined {
    const text = this.#text(node, 'expect', 'a regular expression')
    if (text === undefined) return undefined
    try {
      return { expect: new RegExp(text, 's'), ...(maxBytes && { maxBytes: this.#bytes(maxBytes) }) }
    } catch (error) {
      this.#mistake(node.at, `expect is no regular expression: ${printable((error as Error).message)}`)
      return undefined
    }
  }

  #bytes(node: Node): number | undefined {
    if (node.kind === 'scalar' && Number.isSafeInteger(node.value) && Number(node.value) > 0) return Number(node.value)
    this.#mistake(node.at, `maxBytes is ${describe(node, show)}: expected a whole number from 1`)
    return undefined
  }

  #upgrade(node: Node): ProbeStep | undefined {
    const tls = this.#tls(node, 'starttls')
    if (tls === false) this.#mistake(node.at, 'starttls is false: expected true, or leave the step out')
    return tls ? { starttls: tls } : undefined
  }

  #oneOf<Name extends string>(node: Node, name: string, names: readonly Name[]): Name | undefined {
    const value = node.kind === 'scalar' ? node.value : undefined
    const known = names.find((each) => each === value)
    if (known === undefined)
      this.#mistake(node.at, `${name} is ${describe(node, show)}: expected one of ${names.join(', ')}`)
    return known
  }

  #boolean(node: Node, name: string): boolean {
    if (node.kind === 'scalar' && typeof node.value === 'boolean') return node.value
    this.#mistake(node.at, `${name} is ${describe(node, show)}: expected true or false`)
    return false
  }

  #text(node: Node, name: string, expected: string): string | undefined {
    if (node.kind === 'scalar' && typeof node.value === 'string' && node.value !== '') return node.value
    const is = isNothing(node) ? 'nothing' : describe(node, show)
    this.#mistake(node.at, `${name} is ${is}: expected ${expected}`)
    return undefined
  }
}
