/** What a lab target does with a connect. One function a behaviour: it opens what is needed and says how to close it. */
import * as posix from '../posix.js'
import { bindAbstract, bindLoopback, droppedSyns, listenFull, type Place, serve } from './loopback.js'

/** Something that answers, or pointedly does not. `close` settles once every descriptor of it is closed. */
export interface Station {
  place: Place
  close(): Promise<void>
}

interface BehaviourSpec {
  /** One line for people. */
  means: string
  /** Stations of this kind at most; undefined: one station serves any number of addresses. */
  stations?: number
  open(): Promise<Station>
}

/** SYNs a `slow` target lets go unanswered, and how often it looks. */
const slowDrops = 2
const slowPollMs = 10

/** Accepts, and closes when the peer does. */
async function accept(): Promise<Station> {
  const { fd, place } = bindLoopback()
  return { place, close: await serve(fd, (socket) => socket.resume()) }
}

/** Holds the port without listening on it: the kernel answers every SYN with a reset. */
async function refuse(): Promise<Station> {
  const { fd, place } = bindLoopback()
  return { place, close: async () => posix.close(fd) }
}

/** A full accept queue that nobody empties: SYNs are dropped, as by a host that is not there. */
async function hang(): Promise<Station> {
  return full(bindLoopback())
}

/** The same over AF_UNIX, where a blocking connect sleeps until there is room. */
async function stall(): Promise<Station> {
  return full(bindAbstract())
}

async function full(bound: ReturnType<typeof bindLoopback> | ReturnType<typeof bindAbstract>): Promise<Station> {
  const giveUp = await listenFull(bound)
  const close = async () => {
    posix.close(bound.fd)
    await giveUp()
  }
  return { place: bound.place, close }
}

/** Drops the first two SYNs, then accepts for good: impatient attempts fail twice, a patient one takes its time. */
async function slow(): Promise<Station> {
  const bound = bindLoopback()
  const giveUp = await listenFull(bound)
  let opening: Promise<() => Promise<void>> | undefined
  const poll = setInterval(() => {
    if (droppedSyns(bound.fd) < slowDrops) return
    clearInterval(poll)
    // Listening again with a longer backlog takes effect at once, and the server empties the queue.
    opening = serve(bound.fd, (socket) => socket.resume())
    void giveUp()
  }, slowPollMs)
  const close = async () => {
    clearInterval(poll)
    if (opening === undefined) posix.close(bound.fd)
    else await (await opening)()
    await giveUp()
  }
  return { place: bound.place, close }
}

/** Accepts and resets at once. */
async function reset(): Promise<Station> {
  const { fd, place } = bindLoopback()
  return { place, close: await serve(fd, (socket) => socket.resetAndDestroy()) }
}

export const behaviours = {
  accept: { means: 'accepts', open: accept },
  refuse: { means: 'refuses: nothing listens', open: refuse },
  hang: { means: 'never answers: its accept queue is full', open: hang },
  stall: { means: 'AF_UNIX with a full backlog: a blocking connect waits', stations: 8, open: stall },
  slow: { means: 'lets two SYNs go unanswered, then accepts', stations: 6, open: slow },
  reset: { means: 'accepts, then resets', open: reset },
} satisfies Record<string, BehaviourSpec>

export type Behaviour = keyof typeof behaviours

/** Stations of one behaviour at most; undefined: one station is enough for any number of targets. */
export const stationLimit = (behaviour: Behaviour): number | undefined =>
  (behaviours[behaviour] as BehaviourSpec).stations
