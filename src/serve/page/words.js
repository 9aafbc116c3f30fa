/** Figures and moments as a person would say them. */

const whole = new Intl.NumberFormat('en')
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' })

export const count = (number) => whole.format(number)

/** `1 target`, `3 targets`. */
export const counted = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`

/** 0.42 ms, 12.3 ms, 340 ms, 2.1 s. */
export function milliseconds(ms) {
  if (ms === undefined || ms === null) return ''
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(ms >= 10_000 ? 0 : 1)} s`
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`
}

/** The largest unit alone, which is enough for a row: 12 s, 5 min, 3 h, 9 d. */
export function shortAge(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`
  return `${Math.floor(seconds / 86_400)} d`
}

/** `14:03:12`, and with the day where that is not today. */
export function moment(at, now) {
  const date = new Date(at)
  const time = clock.format(date)
  return date.toDateString() === new Date(now).toDateString() ? time : `${day.format(date)}, ${time}`
}

export const dayOf = (at) => day.format(new Date(at))

export const isStateName = (text) => text === 'up' || text === 'down' || text === 'unknown'

/** What is known of a certificate's end. */
export function certificateWords({ daysLeft }) {
  if (daysLeft < 0) return `Certificate expired ${counted(-daysLeft, 'day')} ago`
  if (daysLeft === 0) return 'Certificate ends today'
  return `Certificate: ${counted(daysLeft, 'day')} left`
}

/** From here on a certificate's end is worth a word in the list. */
export const certificateSoonDays = 30

/** The reason of a target that is not up, in a sentence. */
export function reasonOf({ state, last }) {
  if (!last) return state === 'unknown' ? 'Not checked yet.' : ''
  if (last.reason) return last.reason
  if (last.status === 'up') return state === 'up' ? '' : 'The last check found it up. It takes a few in a row.'
  return last.code ?? ''
}
