/** What is told on cancelpoint's diagnostics channels. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'

export const channels = ['attempt:start', 'attempt:end', 'attempt:cancel', 'retry', 'delivery'] as const
export type Channel = (typeof channels)[number]
export type Message = Record<string, unknown>

/** Listens until `stop`: every message with the moment it came, in order. */
export function listen() {
  const heard: { channel: Channel; message: Message; at: number }[] = []
  const listeners = channels.map((channel) => {
    const listener = (message: unknown) => heard.push({ channel, message: message as Message, at: performance.now() })
    subscribe(`cancelpoint:${channel}`, listener)
    return () => unsubscribe(`cancelpoint:${channel}`, listener)
  })
  return {
    heard,
    of: (channel: Channel): Message[] => heard.flatMap((each) => (each.channel === channel ? [each.message] : [])),
    stop: () => {
      for (const stop of listeners) stop()
    },
  }
}
