/** One row of the table, and how rows look at a socket. */
import { once } from 'node:events'
import type net from 'node:net'

export interface Options {
  allowHalfOpen?: boolean
  noDelay?: boolean
  keepAlive?: boolean
}

/** One row: what the peer does, what is seen at the socket, and what Node's documentation has one expect. */
export interface Row {
  it: string
  options?: Options
  peer?: (peer: net.Socket) => unknown
  see: (socket: net.Socket, peer: net.Socket) => unknown
  expected: unknown
  /** Why it cannot run here. */
  lacking?: string | undefined
}

/** Events in the order they come, until 'close'. */
export async function eventsOf(socket: net.Socket, names = ['end', 'error', 'close']): Promise<string[]> {
  const seen: string[] = []
  for (const name of names)
    socket.on(name, (argument) => {
      seen.push(argument instanceof Error ? `${name} ${(argument as NodeJS.ErrnoException).code}` : name)
    })
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return seen
}

/** What the socket reads until its end, by 'data': unlike an iteration, it leaves the stream as it is. */
export async function flowed(stream: net.Socket): Promise<string> {
  let text = ''
  stream.on('data', (data) => {
    text += data
  })
  await once(stream, 'end')
  return text
}

export async function textOf(stream: AsyncIterable<Buffer>): Promise<string> {
  let text = ''
  for await (const chunk of stream) text += chunk
  return text
}
