/** Errnos that only a machine's routes, rules and settings bring about, and those that only the seam gives. */
import { binding } from '#internal/bridge/binding'
import { errnoOf } from '#internal/errors/errnos'
import type { Sockets } from '../support/sockets.mjs'
import type { askNamespace } from './namespace.js'
import { type Managers, observeOpenAtOnce, targetOf } from './observe.mjs'
import { asked, type Cell, connects, type Row } from './row.js'

type Namespace = Awaited<ReturnType<typeof askNamespace>>

const byOption = 'with TCP_USER_TIMEOUT, without a namespace'

/** Recipe in namespace-child.mjs, errno, class, in words, and where a column differs. */
const recipes: [string, string, Row['errnoClass'], string, Partial<Record<'blocking' | 'nonblocking', Cell>>?][] = [
  ['unreachable', 'EHOSTUNREACH', 'unreachable', 'an unreachable route'],
  ['prohibit', 'EACCES', 'denied', 'a prohibit route'],
  ['blackhole', 'EINVAL', 'misuse', 'a blackhole route'],
  ['throw', 'ENETUNREACH', 'unreachable', 'a throw route'],
  ['noRoute', 'ENETUNREACH', 'unreachable', 'no route at all'],
  ['policy', 'EPERM', 'denied', 'an xfrm policy that blocks'],
  ['onePort', 'EADDRNOTAVAIL', 'local', 'the machine’s only port is in use for that destination'],
  ['familyOff', 'EADDRNOTAVAIL', 'unreachable', 'IPv6 is switched off'],
  ['patience', 'ETIMEDOUT', 'timed-out', 'a listener that hangs', { blocking: byOption, nonblocking: byOption }],
  ['drop', 'ETIMEDOUT', 'timed-out', 'nft drops every packet'],
]

export function namespaceRows({ answers, refused }: Namespace): Row[] {
  return recipes.map(([name, code, errnoClass, how, given]) => {
    const answer = answers[name]
    const cell = (column: 'blocking' | 'nonblocking', differs?: object): Cell => {
      return given?.[column] ?? { observe: () => answer![column]!, differs }
    }
    const timesOut = code === 'ETIMEDOUT'
    return {
      code,
      errnoClass,
      how: `in a namespace: ${how}`,
      skip: refused ?? answer?.refused,
      blocking: cell('blocking'),
      nonblocking: cell('nonblocking', timesOut ? { first: 'EINPROGRESS' } : undefined),
      manager: {
        observe: (engine) => answer!.manager![engine],
        differs: timesOut ? { timedOutBy: 'kernel' } : undefined,
      },
    }
  })
}

/** Every connect fails with that errno, whatever the kernel would say; the manager asks again where it is this machine's fault. */
function injectInto(sockets: Sockets, code: string) {
  const address = sockets.refusing('inet')
  sockets.defer(() => binding.clearFaults())
  binding.inject('connect', 0, -errnoOf(code), 0)
  return address
}

export function seamRows(managers: Managers): Row[] {
  const codes: [string, Row['errnoClass']][] = [
    ['EADDRINUSE', 'misuse'],
    ['ENETDOWN', 'unreachable'],
    ['ENOBUFS', 'local'],
    ['ENAMETOOLONG', 'misuse'],
  ]
  return codes.map(([code, errnoClass]) => {
    const opened = asked(() =>
      observeOpenAtOnce(managers, (sockets) => ({ target: targetOf(injectInto(sockets, code)) })),
    )
    return {
      code,
      errnoClass,
      how: 'injected at the seam',
      injected: true,
      ...connects((sockets, nonblocking) => ({
        fd: sockets.open('inet', { nonblocking }),
        address: injectInto(sockets, code),
      })),
      manager: { observe: async (engine) => (await opened())[engine] },
    }
  })
}
