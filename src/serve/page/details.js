/** All that is known of one target. It stays where it is while the list moves, and follows what comes. */
import { byId, h, outside } from './dom.js'
import { curve, curveWords, strip, stripWords } from './history.js'
import { stateIcon } from './row.js'
import { keyOf } from './rows.js'
import { certificateWords, counted, dayOf, milliseconds, moment, reasonOf, shortAge } from './words.js'

const narrow = matchMedia('(max-width: 700px)')

/** Events: `close`; `label`, its detail a name and a value. */
export class Details extends EventTarget {
  target
  #element = byId('details')
  #close = h('button', { type: 'button', class: 'close', 'aria-label': 'Close the details' }, 'Close')
  #title = h('h2', { id: 'details-title', tabindex: '-1' })
  #body = h('div', { class: 'body' })
  #strip = strip()
  #curve = curve()
  #feed
  #shown = ''

  constructor(feed) {
    super()
    this.#feed = feed
    this.#element.append(h('div', { class: 'bar' }, this.#title, this.#close), this.#body)
    this.#close.addEventListener('click', () => this.close())
    this.#element.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape') return
      event.preventDefault()
      this.close()
    })
    narrow.addEventListener('change', () => this.#cover())
  }

  get key() {
    return this.target && keyOf(this.target)
  }

  open(target) {
    this.#shown = ''
    this.show(target)
    this.#element.hidden = false
    document.body.classList.add('with-details')
    this.#cover()
    this.#element.scrollTop = 0
    this.#title.focus({ preventScroll: true })
  }

  close() {
    this.target = undefined
    this.#element.hidden = true
    document.body.classList.remove('with-details')
    this.#cover()
    this.dispatchEvent(new Event('close'))
  }

  /** The same target, perhaps with something new. Nothing moves under a reader's eyes without need. */
  show(target) {
    this.target = target
    const shown = JSON.stringify([target, Math.floor((this.#feed.now() - target.since) / 10_000)])
    if (shown === this.#shown) return
    this.#shown = shown
    this.#title.textContent = outside(target.target)
    const focused = document.activeElement?.dataset?.label
    this.#body.replaceChildren(...this.#parts(target))
    if (focused) this.#body.querySelector(`[data-label="${CSS.escape(focused)}"]`)?.focus()
  }

  *#parts(target) {
    const now = this.#feed.now()
    const { state, since, last = {}, history, labels = {}, remedy } = target
    const { results = '', connectMs = [] } = history ?? {}
    yield h(
      'p',
      { class: 'state' },
      stateIcon(state),
      h('strong', {}, state),
      ` for ${shortAge(now - since)}, since ${moment(since, now)}`,
    )
    if (target.isGone)
      yield h('p', { class: 'gone' }, 'It is not on the list any more. This is what was known of it last.')
    const reason = reasonOf(target)
    if (reason !== '') yield h('p', { class: 'reason' }, outside(reason))
    if (remedy) yield h('p', { class: 'remedy' }, h('strong', {}, 'What to do: '), outside(remedy))

    this.#strip.show(results)
    yield h('h3', {}, 'Results')
    yield h('div', { class: 'drawing' }, this.#strip.element)
    yield h('p', { class: 'words', 'aria-hidden': 'true' }, `${stripWords(results)}.`)
    const known = connectMs.filter((ms) => ms !== null)
    this.#curve.show(connectMs)
    yield h('h3', {}, 'Connect times')
    yield h('div', { class: 'drawing' }, this.#curve.element)
    yield h('p', { class: 'words', 'aria-hidden': 'true' }, `${curveWords(known)}.`)

    yield h('h3', {}, 'Last check')
    yield list([
      ['Started', last.startedAt && moment(last.startedAt, now)],
      ['It found', last.status],
      ['Code', last.code],
      ['Class', last.errnoClass],
      ['Ended in', last.phase && (last.step === undefined ? last.phase : `${last.phase}, step ${last.step + 1}`)],
      ['Address', addressOf(last)],
      ['Name looked up', milliseconds(last.nameMs)],
      ['Connect', milliseconds(last.connectMs)],
      ['TLS', milliseconds(last.tlsMs)],
      ['Steps', milliseconds(last.stepsMs)],
      ['Attempts', last.attempts],
      ['Results in a row', target.inARow],
      ['Checks skipped', target.skipped],
    ])
    if (last.certificate) {
      const { subject, issuer, validTo, fingerprint256 } = last.certificate
      yield h('h3', {}, 'Certificate')
      yield h('p', {}, `${certificateWords(last.certificate)}.`)
      yield list([
        ['Subject', subject],
        ['Issuer', issuer],
        ['Valid until', dayOf(validTo)],
        ['SHA-256', fingerprint256],
      ])
    }
    const own = Object.entries(labels)
    if (own.length > 0) {
      yield h('h3', {}, 'Labels')
      yield h(
        'ul',
        { class: 'own-labels', 'aria-label': `${counted(own.length, 'label')}: choose one to see its targets alone` },
        ...own.map((each) => this.#label(each)),
      )
    }
  }

  #label([name, value]) {
    const button = h(
      'button',
      { type: 'button', 'data-label': name, title: 'Show its targets alone' },
      outside(`${name}=${value}`),
    )
    button.addEventListener('click', () => this.dispatchEvent(new CustomEvent('label', { detail: [name, value] })))
    return h('li', {}, button)
  }

  /** On a phone the details cover the rest: then nothing behind them can be reached. */
  #cover() {
    const covers = narrow.matches && this.target !== undefined
    for (const behind of document.querySelectorAll('.skip, .top, main')) behind.inert = covers
  }
}

/** What there is; the rest is left out. */
const list = (pairs) =>
  h(
    'dl',
    {},
    ...pairs.flatMap(([term, value]) =>
      value === undefined || value === '' ? [] : [h('div', {}, h('dt', {}, term), h('dd', {}, outside(value)))],
    ),
  )

function addressOf({ address, port, path }) {
  if (path !== undefined) return path
  if (address === undefined) return undefined
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
