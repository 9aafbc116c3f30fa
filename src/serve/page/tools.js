/** What narrows the list: text, labels, and the label that it is grouped by. */
import { byId, h, outsideShort, setText } from './dom.js'
import { count, counted } from './words.js'

const typingMs = 150

export class Tools {
  #view
  #rows
  #typed
  #labels = ''

  /** `toList()`: the list gets the focus. */
  constructor(view, rows, toList) {
    this.#view = view
    this.#rows = rows
    const text = byId('text')
    const filter = () => {
      clearTimeout(this.#typed)
      if (text.value !== view.text) view.change({ text: text.value })
    }
    text.addEventListener('input', () => {
      clearTimeout(this.#typed)
      this.#typed = setTimeout(filter, typingMs)
    })
    text.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') {
        clearTimeout(this.#typed)
        view.clear()
      } else if (event.key === 'Enter' || event.key === 'ArrowDown') {
        filter()
        toList()
      } else return
      event.preventDefault()
    })
    byId('fold').addEventListener('click', () => rows.foldAll())
    byId('group').addEventListener('change', ({ target }) => view.change({ group: target.value }))
  }

  show() {
    const text = byId('text')
    if (document.activeElement !== text || text.value.trim() === '' || this.#view.text === '')
      text.value = this.#view.text
    byId('chips').replaceChildren(...this.#view.labels.map((label) => this.#chip(label)))
    byId('chips').hidden = this.#view.labels.length === 0
    this.showGroups()
  }

  /** Labels to group by, as far as the server tells of them. */
  showGroups() {
    const names = this.#rows.groups.map(({ label }) => label)
    const { group } = this.#view
    byId('fold').hidden = !this.#rows.isGrouped
    setText(byId('fold'), this.#rows.isFolded ? 'Unfold all' : 'Fold all')
    // One that is in the address and on no target now is offered all the same.
    if (group !== '' && !names.includes(group)) names.push(group)
    const labels = JSON.stringify([names, group])
    if (labels === this.#labels) return
    this.#labels = labels
    const options = names.map((name) => h('option', { value: name }, outsideShort(name, 40)))
    byId('group').replaceChildren(h('option', { value: '' }, 'nothing'), ...options)
    byId('group').value = group
    byId('group-by').hidden = names.length === 0
  }

  showFound() {
    const { isKnown, matching, total } = this.#rows
    const words = this.#view.isNarrowed ? `${count(matching)} of ${counted(total, 'target')}` : counted(total, 'target')
    setText(byId('found'), isKnown ? words : '')
  }

  #chip([name, value]) {
    const text = outsideShort(`${name}=${value}`, 80)
    const button = h(
      'button',
      { type: 'button', 'aria-label': `Show others than ${text} again` },
      text,
      h('span', { 'aria-hidden': 'true' }, '×'),
    )
    button.addEventListener('click', () => {
      this.#view.removeLabel(name)
      byId('text').focus()
    })
    return h('li', {}, button)
  }
}
