/** One row, made once and shown again with another target. */
import { h, outsideShort, s, setText } from './dom.js'
import { curve, strip } from './history.js'
import { certificateSoonDays, certificateWords, count, counted, milliseconds, reasonOf, shortAge } from './words.js'

const flashMs = 2_000

/** Each state has a shape of its own: a disc, a cross, a ring with a gap. */
export function stateIcon(state) {
  return s(
    'svg',
    { class: 'icon', viewBox: '0 0 12 12', 'data-state': state, 'aria-hidden': 'true' },
    s('circle', { class: 'up', cx: '6', cy: '6', r: '4' }),
    s('path', { class: 'down', d: 'M2.5 2.5l7 7M9.5 2.5l-7 7' }),
    s('path', { class: 'unknown', d: 'M9.5 3.5a4.3 4.3 0 1 0 0 5' }),
  )
}

const cell = (name, ...children) => h('div', { role: 'gridcell', class: name }, ...children)

export class Row {
  element
  /** What is in it: a target, a group's head, or undefined while it is fetched. */
  shown = {}
  #target
  #icon = stateIcon()
  #stateWord = h('span')
  #name = h('span', { class: 'name' })
  #labels = h('span', { class: 'labels' })
  #reason = h('span', { class: 'why' })
  #remedy = h('span', { class: 'remedy' })
  #strip = strip()
  #curve = curve()
  #last = h('span', { class: 'last' })
  #since = h('span')
  #headName = h('strong')
  #headCounts = h('span', { class: 'head-counts' })
  #targetCells
  #headCell

  constructor(id) {
    this.element = h('div', { role: 'row', class: 'row', id })
    this.#targetCells = [
      cell('state', this.#icon, this.#stateWord),
      cell('what', this.#name, this.#labels),
      cell('reason', this.#reason, this.#remedy),
      cell('past', this.#strip.element),
      cell('times', this.#curve.element, this.#last),
      cell('since', h('span', { class: 'hidden' }, 'for '), this.#since),
    ]
    const arrow = s(
      'svg',
      { class: 'arrow', viewBox: '0 0 10 10', 'aria-hidden': 'true' },
      s('path', { d: 'M3 1l4 4-4 4' }),
    )
    this.#headCell = h(
      'div',
      { role: 'gridcell', class: 'group-head', 'aria-colspan': '6' },
      arrow,
      this.#headName,
      this.#headCounts,
    )
  }

  /** `index` from 0, of all rows of the list. */
  show(index, { head, target }, now, grouped) {
    const { element } = this
    element.setAttribute('aria-rowindex', index + 1)
    if (grouped) element.setAttribute('aria-level', head ? 1 : 2)
    else element.removeAttribute('aria-level')
    if (head) this.#showHead(head)
    else if (target) this.#showTarget(target, now)
    else this.#showNothing()
    this.shown = { head, target }
  }

  #become(kind, cells) {
    const { element } = this
    if (element.dataset.kind === kind) return
    element.dataset.kind = kind
    delete element.dataset.state
    delete this.#icon.dataset.state
    if (kind !== 'head') element.removeAttribute('aria-expanded')
    element.setAttribute('aria-busy', kind === 'waiting')
    element.replaceChildren(...cells)
  }

  #showHead({ label, value, up, down, unknown, size, isOpen }) {
    this.#become('head', [this.#headCell])
    this.element.setAttribute('aria-expanded', isOpen)
    setText(this.#headName, value === '' ? `without ${outsideShort(label)}` : outsideShort(value))
    const parts = [
      [down, 'down'],
      [unknown, 'unknown'],
      [up, 'up'],
    ].flatMap(([number, state]) => (number > 0 ? [`${count(number)} ${state}`] : []))
    setText(this.#headCounts, `${counted(size, 'target')}: ${parts.join(', ')}`)
    this.element.dataset.state = down > 0 ? 'down' : unknown > 0 ? 'unknown' : 'up'
  }

  #showNothing() {
    this.#become('waiting', this.#targetCells)
    for (const part of [this.#stateWord, this.#labels, this.#reason, this.#remedy, this.#last, this.#since])
      setText(part, '')
    setText(this.#name, '…')
    this.#strip.show('')
    this.#curve.show([])
  }

  #showTarget(target, now) {
    this.#become('target', this.#targetCells)
    const { element } = this
    const isOther = this.shown.target !== target || this.#target !== target.changedAt
    element.classList.toggle('changed', Date.now() - (target.changedAt ?? 0) < flashMs)
    setText(this.#since, shortAge(now - target.since))
    if (!isOther && element.dataset.state === target.state) return
    this.#target = target.changedAt
    element.dataset.state = target.state
    this.#icon.dataset.state = target.state
    setText(this.#stateWord, target.state)
    setText(this.#name, outsideShort(target.target))
    setText(this.#labels, labelsText(target.labels))
    const [reason, remedy] = wordsOf(target)
    setText(this.#reason, outsideShort(reason))
    setText(this.#remedy, outsideShort(remedy))
    element.classList.toggle('told', reason !== '')
    const { results = '', connectMs = [] } = target.history ?? {}
    this.#strip.show(results)
    this.#curve.show(connectMs)
    setText(this.#last, milliseconds(target.last?.connectMs))
  }
}

const labelsText = (labels) =>
  Object.entries(labels ?? {})
    .map(([name, value]) => outsideShort(`${name}=${value}`, 80))
    .join('  ')

/** What is to be said of it in a row, and below that what to do. */
function wordsOf(target) {
  const { certificate } = target.last ?? {}
  const reason = reasonOf(target)
  if (reason === '' && certificate && certificate.daysLeft <= certificateSoonDays)
    return [certificateWords(certificate), '']
  return [reason, target.remedy ?? '']
}
