/** The figures at the top: how many are in which state, and how the checker itself is. */
import { byId, h, outside, setText } from './dom.js'
import { stateIcon } from './row.js'
import { count, counted, milliseconds, moment, shortAge } from './words.js'

const states = ['down', 'unknown', 'up']
/** Checks that start later than this are worth a word. A second freezes the states. */
const lateMs = 250
/** Over so many summaries, which is as many seconds. */
const rateOver = 10

export class Overview {
  #buttons = new Map()
  #figures = new Map()
  #before = []
  #summary

  /** `toggle(state)`: its button was pressed. */
  constructor(toggle) {
    for (const state of states) {
      const number = h('span', { class: 'number' }, '–')
      const button = h(
        'button',
        { type: 'button', 'data-state': state, 'aria-pressed': 'false' },
        stateIcon(state),
        number,
        h('span', { class: 'word' }, state),
      )
      button.addEventListener('click', () => toggle(state))
      this.#buttons.set(state, { button, number })
      byId('counts').append(button)
    }
    for (const term of ['Checker', 'Lateness', 'Checks', 'Skipped', 'Running since']) {
      const value = h('dd', {}, '–')
      const more = h('dd', { class: 'more' })
      this.#figures.set(term, { value, more })
      byId('checker').append(h('div', {}, h('dt', {}, term), value, more))
    }
  }

  pressed(wanted) {
    for (const [state, { button }] of this.#buttons) button.setAttribute('aria-pressed', wanted.includes(state))
  }

  show(summary) {
    this.#summary = summary
    for (const [state, { button, number }] of this.#buttons) {
      setText(number, count(summary[state]))
      button.classList.toggle('none', summary[state] === 0)
    }
    const { targets, latenessMs, frozen, frozenWhy, startedAt, at, skipped, lostChanges } = summary
    this.#figure('Checker', frozen ? 'Frozen' : 'Working', `${counted(targets, 'target')}`, frozen)
    const isLate = latenessMs.p99 > lateMs
    this.#figure(
      'Lateness',
      milliseconds(latenessMs.p99),
      `${isLate ? 'Late. ' : ''}At most ${milliseconds(latenessMs.max)}`,
      isLate,
    )
    this.#figure('Checks', this.#rate(summary), 'Each second')
    this.#figure(
      'Skipped',
      skipped === undefined ? '' : count(skipped),
      lostChanges > 0 ? `${counted(lostChanges, 'change')} lost` : 'Since the start',
    )
    this.#figure('Running since', moment(startedAt, at), `For ${shortAge(at - startedAt)}`)
    this.#freeze(frozen, frozenWhy)
    setText(byId('connection').ownerDocument.querySelector('title'), titleOf(summary))
  }

  get summary() {
    return this.#summary
  }

  /** After a gap nothing can be said of the rate. */
  forgetRate() {
    this.#before = []
  }

  #figure(term, value, more, isWarning = false) {
    const figure = this.#figures.get(term)
    setText(figure.value, value)
    setText(figure.more, more)
    figure.value.parentElement.classList.toggle('warning', isWarning)
    figure.value.parentElement.hidden = value === ''
  }

  #rate({ at, checks }) {
    if (!checks) return ''
    const all = checks.up + checks.down + checks.unknown
    this.#before.push({ at, all })
    if (this.#before.length > rateOver) this.#before.shift()
    const first = this.#before[0]
    if (at <= first.at || all < first.all) return '–'
    const rate = ((all - first.all) * 1_000) / (at - first.at)
    return rate >= 10 ? count(Math.round(rate)) : rate.toFixed(1)
  }

  #freeze(frozen, why) {
    const element = byId('frozen')
    element.hidden = !frozen
    if (!frozen) return
    setText(element.querySelector('strong'), 'Frozen: no state changes now.')
    const sentence = why ? `${why.charAt(0).toUpperCase()}${why.slice(1)}. ` : ''
    setText(
      element.querySelector('span'),
      outside(`${sentence}The states are those from before, and no target is called down for it.`),
    )
  }
}

const titleOf = ({ down, frozen }) =>
  `${frozen ? 'Frozen · ' : ''}${down > 0 ? `${count(down)} down · ` : ''}cancelpoint`
