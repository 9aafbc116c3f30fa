/** Loopback targets, spread as peers/peer.h spreads them: no pair of addresses runs out of ports. */

export const targetCount = 10_000

export function address(index: number): string {
  const octet = (divisor: number) => 1 + (Math.floor(index / divisor) % 250)
  return `127.${octet(62_500)}.${octet(250)}.${octet(1)}`
}

export function targets(port: number, count = targetCount): string[] {
  return Array.from({ length: count }, (_, index) => `${address(index)}:${port}`)
}
