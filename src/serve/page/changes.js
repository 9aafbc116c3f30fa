/** The changes that came while somebody looked, and a word on them for those who listen. */
import { byId, h, outsideShort, setText } from './dom.js'
import { stateIcon } from './row.js'
import { count, counted, moment } from './words.js'

const shownAtMost = 50
/** Who listens hears of changes no more often than this. */
const sayEveryMs = 5_000

export class Changes {
  #list = byId('changes')
  #unsaid = []
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

  add(change, now) {
    byId('quiet').hidden = true
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
    while (this.#list.children.length > shownAtMost) this.#list.lastElementChild.remove()
    this.#unsaid.push(change)
    this.#saying ??= setTimeout(() => this.#say(), 500)
  }

  /** So many more came at once than are told one by one. */
  addMany(number, now) {
    byId('quiet').hidden = true
    this.#list.prepend(h('li', { class: 'many' }, `${counted(number, 'more change')} at ${moment(now, now)}`))
    this.say(`${counted(number, 'more change')} at once.`)
  }

  say(words) {
    setText(byId('said'), words)
  }

  #say() {
    const changes = this.#unsaid
    this.#unsaid = []
    if (changes.length === 1) {
      const [{ target, to, last }] = changes
      const reason = to === 'up' ? '' : ` ${outsideShort(last?.reason ?? '', 120)}`
      this.say(`${outsideShort(target, 80)} is ${to}.${reason}`)
    } else if (changes.length > 1) {
      const { down } = this.#summary() ?? {}
      this.say(`${counted(changes.length, 'change')}${down === undefined ? '' : `, ${count(down)} down now`}.`)
    }
    this.#saying = setTimeout(() => {
      this.#saying = undefined
      if (this.#unsaid.length > 0) this.#say()
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
