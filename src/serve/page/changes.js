/** The changes that came while somebody looked, and a word on them for those who listen. */
import { byId, h, outsideShort, setText } from './dom.js'
import { stateIcon } from './row.js'
import { count, counted, moment } from './words.js'

const shownAtMost = 50
/** Who listens hears of changes no more often than this. */
const sayEveryMs = 5_000

export class Changes {
  #list = byId('changes')
  /** Since the last word: how many, and the last of them. */
  #unsaid = { number: 0 }
  #undrawn = []
  #frame
  #saying
  #summary
  #wide = matchMedia('(min-width: 1280px)')

  /** `open(change)`: somebody wants to see its target. `summary()`: the last one. */
  constructor({ open, summary }) {
    this.#summary = summary
    this.#list.addEventListener('click', ({ target }) => {
      const change = target.closest('button')?.change
      if (change) open(healthOf(change))
    })
    const fold = () => {
      byId('recent').open = this.#wide.matches
    }
    this.#wide.addEventListener('change', fold)
    fold()
  }

  /** Many may come between two frames: no more are drawn than are shown. */
  add(change, now) {
    this.#tell(1, change)
    this.#undrawn.push(change)
    if (this.#undrawn.length > shownAtMost) this.#undrawn.shift()
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = undefined
      byId('quiet').hidden = true
      for (const each of this.#undrawn) this.#draw(each, now)
      this.#undrawn = []
      this.#prune()
    })
  }

  #draw(change, now) {
    const { target, from, to, at, last } = change
    const reason = to === 'up' ? '' : (last?.reason ?? '')
    const button = h(
      'button',
      { type: 'button', 'data-state': to },
      stateIcon(to),
      h('span', { class: 'name' }, outsideShort(target)),
      h('time', {}, moment(at, now)),
      h('span', { class: 'turn' }, `${from} → ${to}`, ...(reason ? [`. ${outsideShort(reason, 120)}`] : [])),
    )
    button.change = change
    this.#list.prepend(h('li', {}, button))
  }

  #prune() {
    while (this.#list.children.length > shownAtMost) this.#list.lastElementChild.remove()
  }

  /** So many more came at once than are told one by one. */
  addMany(number, now) {
    byId('quiet').hidden = true
    this.#list.prepend(h('li', { class: 'many' }, `${counted(number, 'more change')} at ${moment(now, now)}`))
    this.#prune()
    this.#tell(number)
  }

  #tell(number, change) {
    this.#unsaid = { number: this.#unsaid.number + number, change }
    this.#saying ??= setTimeout(() => this.#say(), 500)
  }

  #say() {
    const { number, change } = this.#unsaid
    this.#unsaid = { number: 0 }
    if (number === 1 && change) {
      const reason = change.to === 'up' ? '' : ` ${outsideShort(change.last?.reason ?? '', 120)}`
      setText(byId('said'), `${outsideShort(change.target, 80)} is ${change.to}.${reason}`)
    } else {
      const { down } = this.#summary() ?? {}
      setText(byId('said'), `${counted(number, 'change')}${down === undefined ? '' : `, ${count(down)} down now`}.`)
    }
    this.#saying = setTimeout(() => {
      this.#saying = undefined
      if (this.#unsaid.number > 0) this.#say()
    }, sayEveryMs)
  }
}

const healthOf = ({ target, labels, to, at, results, last, remedy }) => ({
  target,
  labels,
  state: to,
  since: at,
  inARow: results,
  last,
  remedy,
})
