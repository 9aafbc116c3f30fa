/** What is looked at: kept in the address after the `#`, so that it can be sent to somebody and survives a reload. */
import { isStateName } from './words.js'

/**
 * `text`, `states` (none is all), `labels` ([name, value], all of them must fit), `group` (a label's name, '' for none),
 * `closed` (values of that label whose targets are folded away; not in the address).
 */
export class View extends EventTarget {
  text = ''
  states = []
  labels = []
  group = ''
  closed = new Set()

  constructor() {
    super()
    this.#read()
    addEventListener('hashchange', () => {
      this.#read()
      this.dispatchEvent(new Event('change'))
    })
  }

  /** `view.change({ text: 'db' })` */
  change(what) {
    if (what.group !== undefined && what.group !== this.group) this.closed = new Set()
    Object.assign(this, what)
    const address = this.#write()
    history.replaceState(null, '', address === '' ? location.pathname + location.search : `#${address}`)
    this.dispatchEvent(new Event('change'))
  }

  toggleState(state) {
    const without = this.states.filter((each) => each !== state)
    this.change({ states: without.length < this.states.length ? without : [...this.states, state] })
  }

  addLabel(name, value) {
    this.change({ labels: [...this.labels.filter(([each]) => each !== name), [name, value]] })
  }

  removeLabel(name) {
    this.change({ labels: this.labels.filter(([each]) => each !== name) })
  }

  get isNarrowed() {
    return this.text !== '' || this.states.length > 0 || this.labels.length > 0
  }

  clear() {
    this.change({ text: '', states: [], labels: [] })
  }

  /** As /api/targets takes it. */
  query(more = []) {
    const query = new URLSearchParams()
    if (this.text !== '') query.set('text', this.text)
    if (this.states.length > 0) query.set('state', this.states.join(','))
    for (const [name, value] of [...this.labels, ...more]) query.append('label', `${name}=${value}`)
    return query
  }

  #read() {
    const given = new URLSearchParams(location.hash.slice(1))
    this.text = (given.get('text') ?? '').slice(0, 200)
    this.states = (given.get('state') ?? '').split(',').filter(isStateName)
    this.labels = given.getAll('label').flatMap((text) => {
      const at = text.indexOf('=')
      return at > 0 ? [[text.slice(0, at), text.slice(at + 1)]] : []
    })
    this.group = given.get('group') ?? ''
    this.closed = new Set()
  }

  #write() {
    const query = this.query()
    if (this.group !== '') query.set('group', this.group)
    return query.toString()
  }
}
