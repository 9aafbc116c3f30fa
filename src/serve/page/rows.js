/**
 * The rows of the list: how many there are is known, what is in them is fetched where somebody looks. A row is a group's head or a
 * target. Targets come in chunks of one query, so that fifty thousand are never here at once.
 */
const chunkSize = 50
const chunksAtMost = 60
const fetchesAtMost = 2
const patienceMs = 15_000
/** The server makes a few lists at once: whoever comes on top of that comes again. */
const triesWhenBusy = 3
const busyMs = 400

/** A target is known by its text and its labels. */
export const keyOf = ({ target, labels }) =>
  JSON.stringify([target, Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))])

/** Most targets differ by their text, and that is soon seen. */
function sameAs(key) {
  const [text] = JSON.parse(key)
  return (item) => item.target === text && keyOf(item) === key
}

/** Events: `change` when what it gives has changed, `fetched` and `failed` after a fetch. */
export class Rows extends EventTarget {
  total = 0
  matching = 0
  counts = { up: 0, down: 0, unknown: 0 }
  /** Labels by which targets can be grouped, each with its values and their counts. */
  groups = []
  isKnown = false
  #view
  /** `head` (a group or undefined), `labels` to ask for, `size` in targets, `from`: its first row. */
  #sections = []
  #length = 0
  /** By section and place: `{ items, at }`, the least wanted first. */
  #chunks = new Map()
  #wanted = []
  #underWay = new Map()
  #epoch = 0
  #frame

  constructor(view) {
    super()
    this.#view = view
  }

  get length() {
    return this.#length
  }

  /** Another view: nothing of the old one is shown for it. */
  reset() {
    this.#epoch += 1
    for (const abort of this.#underWay.values()) abort.abort()
    this.#underWay.clear()
    this.#chunks.clear()
    this.#wanted = []
    this.#sections = []
    this.#length = 0
    this.isKnown = false
    void this.refresh()
  }

  /** Groups are folded or unfolded: the rest stays. */
  fold() {
    this.#arrange()
    this.dispatchEvent(new Event('change'))
  }

  get isGrouped() {
    return this.#sections[0]?.head !== undefined
  }

  /** All groups are folded. */
  get isFolded() {
    return this.isGrouped && this.#sections.every(({ head }) => !head.isOpen)
  }

  foldAll() {
    const values = this.#sections.map(({ head }) => head.value)
    this.#view.closed = new Set(this.isFolded ? [] : values)
    this.fold()
  }

  /** `{ head }` or `{ target }`, `target` undefined where it is not here yet. */
  at(index) {
    const section = this.#sectionOf(index)
    if (!section) return {}
    const place = index - section.from - (section.head ? 1 : 0)
    if (place < 0) return { head: section.head }
    return { target: this.#chunks.get(this.#chunkKey(section, place))?.items[place % chunkSize] }
  }

  /** The row of a target that is here. */
  indexOf(key) {
    const isIt = sameAs(key)
    for (const section of this.#sections) {
      for (let place = 0; place < section.open; place += chunkSize) {
        const found = this.#chunks.get(this.#chunkKey(section, place))?.items.findIndex(isIt) ?? -1
        if (found >= 0) return section.from + (section.head ? 1 : 0) + place + found
      }
    }
    return -1
  }

  /** A change that was told: shown at once, until the next fetch says the rest. Many may come between two frames. */
  apply({ target, labels, to, at, results, last, remedy }) {
    const isIt = sameAs(keyOf({ target, labels }))
    const now = { state: to, since: at, inARow: results, last, remedy, changedAt: Date.now() }
    for (const { items } of this.#chunks.values()) {
      for (const item of items) if (isIt(item)) Object.assign(item, now)
    }
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined
      this.dispatchEvent(new Event('change'))
    })
  }

  /** Somebody looks at these rows: what is missing or older than `ageMs` is fetched. */
  want(from, to, ageMs) {
    const wanted = new Map()
    const old = Date.now() - ageMs
    for (let index = from; index < to; index += 1) {
      const section = this.#sectionOf(index)
      const place = section ? index - section.from - (section.head ? 1 : 0) : -1
      if (place < 0) continue
      const key = this.#chunkKey(section, place)
      const chunk = this.#chunks.get(key)
      if (!chunk || chunk.at < old) wanted.set(key, { key, section, offset: Math.floor(place / chunkSize) * chunkSize })
    }
    this.#wanted = [...wanted.values()]
    for (const [key, abort] of this.#underWay) {
      // Whoever scrolled on does not wait for what they scrolled past.
      if (!wanted.has(key) && !this.#chunks.has(key)) abort.abort()
    }
    this.#fetchNext()
  }

  /** How many there are, and in which groups. */
  async refresh() {
    const epoch = this.#epoch
    const answer = await this.#ask(this.#view.query(), 0, 1)
    if (!answer || epoch !== this.#epoch) return
    this.total = answer.total
    this.matching = answer.matching
    this.counts = answer.counts
    this.groups = answer.groups ?? []
    this.isKnown = true
    this.#arrange()
    this.dispatchEvent(new Event('change'))
  }

  /** One target as it is now, wherever it stands; null where it has left the list, undefined where that cannot be told. */
  async find(target) {
    const query = new URLSearchParams({ text: target.target.slice(0, 200) })
    for (const [name, value] of Object.entries(target.labels ?? {}).slice(0, 8))
      query.append('label', `${name}=${value}`)
    if (query.toString().length > 1_500) return undefined
    const answer = await this.#ask(query, 0, 100)
    const found = answer?.targets.find((item) => keyOf(item) === keyOf(target))
    return found ?? (answer && answer.matching <= answer.targets.length ? null : undefined)
  }

  #arrange() {
    const { group, closed } = this.#view
    const found = this.groups.find(({ label }) => label === group)
    const sections = found
      ? found.values.map((counts) => {
          const size = counts.up + counts.down + counts.unknown
          const isOpen = !closed.has(counts.value)
          const head = { label: group, ...counts, size, isOpen }
          return { head, labels: [[group, counts.value]], open: isOpen ? size : 0 }
        })
      : [{ labels: [], open: this.matching }]
    let from = 0
    for (const section of sections) {
      section.from = from
      from += section.open + (section.head ? 1 : 0)
    }
    this.#sections = sections
    this.#length = from
  }

  #sectionOf(index) {
    if (index < 0 || index >= this.#length) return undefined
    let [low, high] = [0, this.#sections.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if (this.#sections[middle].from <= index) low = middle
      else high = middle - 1
    }
    return this.#sections[low]
  }

  #chunkKey({ labels }, place) {
    return JSON.stringify([labels, Math.floor(place / chunkSize)])
  }

  #fetchNext() {
    while (this.#underWay.size < fetchesAtMost) {
      const next = this.#wanted.find(({ key }) => !this.#underWay.has(key))
      if (!next) return
      this.#wanted = this.#wanted.filter((each) => each !== next)
      void this.#fetch(next)
    }
  }

  async #fetch({ key, section, offset }) {
    const epoch = this.#epoch
    const abort = new AbortController()
    this.#underWay.set(key, abort)
    const answer = await this.#ask(this.#view.query(section.labels), offset, chunkSize, abort.signal)
    if (this.#underWay.get(key) === abort) this.#underWay.delete(key)
    if (epoch !== this.#epoch) return
    if (answer) {
      this.#chunks.delete(key)
      this.#chunks.set(key, { items: answer.targets, at: Date.now() })
      for (const oldest of this.#chunks.keys()) {
        if (this.#chunks.size <= chunksAtMost) break
        this.#chunks.delete(oldest)
      }
      this.dispatchEvent(new Event('change'))
    }
    this.#fetchNext()
  }

  /** Undefined where nothing came of it. */
  async #ask(query, offset, limit, signal) {
    query.set('offset', offset)
    query.set('limit', limit)
    const limits = [AbortSignal.timeout(patienceMs), ...(signal ? [signal] : [])]
    const ask = () => fetch(`api/targets?${query}`, { signal: AbortSignal.any(limits) })
    try {
      let response = await ask()
      for (let i = 0; response.status === 503 && i < triesWhenBusy; i += 1) {
        await new Promise((resolve) => setTimeout(resolve, busyMs * (0.5 + Math.random())))
        response = await ask()
      }
      if (!response.ok) throw new Error(response.statusText)
      const answer = await response.json()
      this.dispatchEvent(new Event('fetched'))
      return answer
    } catch {
      if (!signal?.aborted) this.dispatchEvent(new Event('failed'))
      return undefined
    }
  }
}
