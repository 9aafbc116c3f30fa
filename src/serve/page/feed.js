/**
 * The server's events, with an honest word on whether they come. A connection that is open and silent is as good as none: there
 * is a summary every second. The browser's own reconnection gives up where an answer is no event stream, so this has its own.
 */
const silenceMs = 4_000
const firstPauseMs = 1_000
const longestPauseMs = 8_000

/** Events: `summary`, `change` and `more` with what the server told as their detail; `connected`, `lost`. */
export class Feed extends EventTarget {
  isConnected = false
  /** When the last word came, by this machine's clock; undefined before the first. */
  lastAt
  /** The server's clock less this machine's. */
  #skewMs = 0
  #source
  #pauseMs = firstPauseMs
  #watchdog
  #again

  begin() {
    this.#open()
    addEventListener('online', () => this.#soon(0))
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted) this.#soon(0)
    })
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'visible' && !this.isConnected) this.#soon(0)
    })
  }

  /** Now, by the server's clock; while nothing comes from there, the moment up to which something is known. */
  now() {
    return (this.isConnected || this.lastAt === undefined ? Date.now() : this.lastAt) + this.#skewMs
  }

  #open() {
    this.#close()
    const source = new EventSource('events')
    this.#source = source
    source.addEventListener('summary', (event) => this.#heard(event))
    source.addEventListener('change', (event) => this.#heard(event))
    source.addEventListener('more', (event) => this.#heard(event))
    source.addEventListener('error', () => this.#lose())
    this.#watch()
  }

  #heard({ type, data: text }) {
    let data
    try {
      data = JSON.parse(text)
    } catch {
      return this.#lose()
    }
    this.lastAt = Date.now()
    if (type === 'summary' && typeof data.at === 'number') this.#skewMs = data.at - this.lastAt
    this.#watch()
    if (!this.isConnected) {
      this.isConnected = true
      this.#pauseMs = firstPauseMs
      this.dispatchEvent(new Event('connected'))
    }
    this.dispatchEvent(new CustomEvent(type, { detail: data }))
  }

  #watch() {
    clearTimeout(this.#watchdog)
    this.#watchdog = setTimeout(() => this.#lose(), silenceMs)
  }

  #lose() {
    this.#close()
    const was = this.isConnected
    this.isConnected = false
    if (was || this.lastAt === undefined) this.dispatchEvent(new Event('lost'))
    this.#soon(this.#pauseMs)
    this.#pauseMs = Math.min(longestPauseMs, this.#pauseMs * 2)
  }

  #soon(ms) {
    clearTimeout(this.#again)
    this.#again = setTimeout(() => this.#open(), ms)
  }

  #close() {
    clearTimeout(this.#watchdog)
    clearTimeout(this.#again)
    this.#source?.close()
  }
}
