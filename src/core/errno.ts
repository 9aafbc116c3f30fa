/** Errno classes: what an errno says about whose fault it is, and so what to do about it. */
export type ErrnoClass =
  | 'pending'
  | 'refused'
  | 'timed-out'
  | 'unreachable'
  | 'local'
  | 'busy'
  | 'denied'
  | 'name'
  | 'protocol'
  | 'misuse'
  | 'unknown'
