/**
 * The list of targets: as long as they are many, with no more rows in the document than fit the window. It scrolls with the page.
 * The list has the focus and says which row is meant, so that no focus is lost when rows leave the document.
 */
import { byId, h, setText } from './dom.js'
import { Row } from './row.js'
import { keyOf } from './rows.js'

/** Rows beyond the window's edges. */
const margin = 6

/** Event: `open`, its detail a target. */
export class List extends EventTarget {
  #element = byId('list')
  #spacer = h('div', { class: 'spacer', 'aria-hidden': 'true' })
  #rows
  #feed
  #view
  #pool = []
  /** The first of them shows this row. */
  #from = 0
  #made = 0
  #rowHeight = 48
  #active = -1
  #activeKey
  #openKey
  #frame
  #ageMs = 5_000

  constructor(rows, view, feed) {
    super()
    this.#rows = rows
    this.#view = view
    this.#feed = feed
    this.#element.tabIndex = 0
    this.#element.setAttribute('aria-label', 'Targets')
    this.#element.append(this.#spacer)
    rows.addEventListener('change', () => this.#moved())
    addEventListener('scroll', () => this.draw(), { passive: true })
    addEventListener('resize', () => this.draw())
    this.#element.addEventListener('keydown', (event) => this.#key(event))
    this.#element.addEventListener('click', (event) => this.#click(event))
    this.#element.addEventListener('focus', () => {
      if (this.#active < 0) this.#activate(Math.min(this.#first(), this.#rows.length - 1), false)
      this.draw()
    })
    this.#element.addEventListener('blur', () => this.draw())
  }

  /** What is older is fetched again while it is looked at. */
  set ageMs(ms) {
    this.#ageMs = ms
  }

  set openKey(key) {
    this.#openKey = key
    this.draw()
  }

  focus() {
    this.#element.focus({ preventScroll: true })
  }

  /** Another view: from its beginning. */
  reset() {
    this.#active = -1
    this.#activeKey = undefined
    const top = this.#element.getBoundingClientRect().top + scrollY - this.#covered()
    if (scrollY > top) scrollTo(0, Math.max(0, top))
  }

  draw() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined
      this.#draw()
    })
  }

  /** The order may have changed: the row that was meant is still meant. */
  #moved() {
    if (this.#activeKey !== undefined) {
      const index = this.#rows.indexOf(this.#activeKey)
      if (index >= 0) this.#active = index
    }
    this.#active = Math.min(this.#active, this.#rows.length - 1)
    this.draw()
  }

  #draw() {
    const { length } = this.#rows
    const grouped = this.#rows.at(0).head !== undefined
    this.#rowHeight = this.#spacer.offsetHeight || this.#rowHeight
    const height = `${length * this.#rowHeight}px`
    if (this.#element.style.height !== height) this.#element.style.height = height
    this.#element.setAttribute('role', grouped ? 'treegrid' : 'grid')
    this.#element.setAttribute('aria-rowcount', length)

    const from = Math.max(0, this.#first() - margin)
    const to = Math.min(length, from + Math.ceil(innerHeight / this.#rowHeight) + 2 * margin)
    this.#fit(to - from)
    this.#turn(from)
    const hasFocus = document.activeElement === this.#element
    const now = this.#feed.now()
    let activeId
    for (const [i, row] of this.#pool.entries()) {
      const index = from + i
      const what = this.#rows.at(index)
      row.show(index, what, now, grouped)
      const { element } = row
      const place = `translateY(${index * this.#rowHeight}px)`
      if (element.style.transform !== place) element.style.transform = place
      const isActive = hasFocus && index === this.#active
      element.classList.toggle('active', isActive)
      element.setAttribute('aria-selected', what.target !== undefined && keyOf(what.target) === this.#openKey)
      if (isActive) activeId = element.id
    }
    if (activeId) this.#element.setAttribute('aria-activedescendant', activeId)
    else this.#element.removeAttribute('aria-activedescendant')
    this.#rows.want(from, to, this.#ageMs)
  }

  /** The rows stand in the document in their order. Those that left at one end come in again at the other: most stay as they are. */
  #turn(from) {
    const by = from - this.#from
    this.#from = from
    const size = this.#pool.length
    if (by > 0 && by < size) {
      const left = this.#pool.splice(0, by)
      this.#pool.push(...left)
      this.#element.append(...left.map(({ element }) => element))
    } else if (by < 0 && -by < size) {
      const left = this.#pool.splice(size + by)
      this.#pool.unshift(...left)
      this.#spacer.after(...left.map(({ element }) => element))
    }
  }

  #fit(size) {
    while (this.#pool.length > size) this.#pool.pop().element.remove()
    while (this.#pool.length < size) {
      const row = new Row(`row-${this.#made++}`)
      this.#pool.push(row)
      this.#element.append(row.element)
    }
  }

  /** The first row that can be seen. */
  #first() {
    const above = this.#covered() - this.#element.getBoundingClientRect().top
    return Math.max(0, Math.floor(above / this.#rowHeight))
  }

  /** What sticks to the window's top covers so much. */
  #covered() {
    return byId('main').querySelector('.head').getBoundingClientRect().bottom > 0
      ? Number.parseFloat(getComputedStyle(this.#element).scrollMarginTop) || 0
      : 0
  }

  #activate(index, scrolls = true) {
    const { length } = this.#rows
    if (length === 0) return
    this.#active = Math.max(0, Math.min(length - 1, index))
    const { target } = this.#rows.at(this.#active)
    this.#activeKey = target && keyOf(target)
    if (scrolls) this.#scrollTo(this.#active)
    this.draw()
  }

  #scrollTo(index) {
    const top = this.#element.getBoundingClientRect().top + index * this.#rowHeight
    const covered = this.#covered()
    if (top < covered) scrollBy(0, top - covered)
    else if (top + this.#rowHeight > innerHeight) scrollBy(0, top + this.#rowHeight - innerHeight)
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const page = Math.max(1, Math.floor((innerHeight - this.#covered()) / this.#rowHeight) - 1)
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }
    const { head } = this.#rows.at(this.#active)
    if (event.key in steps) this.#activate(this.#active + steps[event.key])
    else if (event.key === 'Enter' || event.key === ' ') this.#enter(this.#active)
    else if (event.key === 'ArrowRight' && head && !head.isOpen) this.#enter(this.#active)
    else if (event.key === 'ArrowLeft' && head?.isOpen) this.#enter(this.#active)
    else return
    event.preventDefault()
  }

  #click({ target }) {
    const element = target.closest('.row')
    const row = this.#pool.find((each) => each.element === element)
    if (!row || String(getSelection()) !== '') return
    const index = Number(element.getAttribute('aria-rowindex')) - 1
    this.#activate(index, false)
    this.#enter(index)
  }

  #enter(index) {
    const { head, target } = this.#rows.at(index)
    if (head) {
      const { closed } = this.#view
      if (!closed.delete(head.value)) closed.add(head.value)
      this.#rows.fold()
    } else if (target) this.dispatchEvent(new CustomEvent('open', { detail: target }))
  }
}

/** What stands where there are no rows. */
export function showEmpty(rows, view, isConnected) {
  const element = byId('empty')
  element.hidden = rows.length > 0
  if (!rows.isKnown) setText(element, isConnected ? 'Fetching the targets …' : 'The targets are not known yet.')
  else if (view.isNarrowed) setText(element, 'No target matches. Escape in the filter shows all of them again.')
  else setText(element, 'There are no targets on the list.')
}
