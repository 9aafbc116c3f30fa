/** What people write first: connect(2) in the worker itself. It blocks the thread inside native code, where nothing reaches it. */
import { binding } from '../src/bridge/binding.js'

const AF_INET = 2
const SOCK_STREAM = 1

export default function connect(address: Uint8Array): number {
  const fd = binding.socket(AF_INET, SOCK_STREAM)
  return binding.connectNow(fd, address)
}
