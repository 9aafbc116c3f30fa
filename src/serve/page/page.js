/** The status page: what comes from the server goes to the parts that show it, and what a person does to the view. */
import { Changes } from './changes.js'
import { Details } from './details.js'
import { byId, setText } from './dom.js'
import { Feed } from './feed.js'
import { List, showEmpty } from './list.js'
import { Overview } from './overview.js'
import { keyOf, Rows } from './rows.js'
import { Tools } from './tools.js'
import { View } from './view.js'
import { moment } from './words.js'

/** How old may be what is looked at: many targets cost the server more. */
const ageMs = (total) => (total > 5_000 ? 10_000 : 3_000)
/** A change is fetched with what follows from it so soon, and others meanwhile with it. */
const afterChangeMs = (total) => (total > 5_000 ? 3_000 : 800)

const view = new View()
const feed = new Feed()
const rows = new Rows(view)
const list = new List(rows, view, feed)
const details = new Details(feed)
const overview = new Overview((state) => view.toggleState(state))
const tools = new Tools(view, rows, () => list.focus())
const changes = new Changes({ open, summary: () => overview.summary })

let fetchedAt
let version
let isTellingOfRows = false

view.addEventListener('change', show)
function show() {
  overview.pressed(view.states)
  tools.show()
  rows.reset()
  list.reset()
}

rows.addEventListener('change', () => {
  tools.showGroups()
  tools.showFound()
  showEmpty(rows, view, feed.isConnected)
  const here = details.target && hereOf(details.target)
  if (here) details.show(here)
})
rows.addEventListener('fetched', () => {
  fetchedAt = Date.now()
  isTellingOfRows = false
})
rows.addEventListener('failed', () => {
  isTellingOfRows = true
})

feed.addEventListener('summary', ({ detail: data }) => {
  if (version !== undefined && data.version !== version) location.reload()
  version = data.version
  overview.show(data)
  tell()
})
feed.addEventListener('change', ({ detail: data }) => {
  changes.add(data, feed.now())
  rows.apply(data)
  later()
})
feed.addEventListener('more', ({ detail: data }) => {
  changes.addMany(data.changes, feed.now())
  later()
})
feed.addEventListener('connected', () => {
  overview.forgetRate()
  document.body.classList.remove('stale')
  refresh(0)
  tell()
})
feed.addEventListener('lost', () => {
  document.body.classList.add('stale')
  tell()
})

details.addEventListener('close', () => {
  list.openKey = undefined
  list.focus()
})
details.addEventListener('label', ({ detail: [name, value] }) => view.addLabel(name, value))
list.addEventListener('open', ({ detail }) => open(detail))

function open(target) {
  details.open(hereOf(target) ?? target)
  list.openKey = details.key
  follow()
}

const hereOf = (target) => rows.at(rows.indexOf(keyOf(target))).target

/** The details follow their target, also where the list is elsewhere. */
async function follow() {
  const { target } = details
  if (!target) return
  const found = hereOf(target) ?? (await rows.find(target))
  if (details.key !== keyOf(target)) return
  if (found) details.show(found)
  else if (found === null) details.show({ ...target, isGone: true })
}

let isDue = false
function later() {
  if (isDue) return
  isDue = true
  setTimeout(() => {
    isDue = false
    refresh(0)
  }, afterChangeMs(rows.total))
}

let refreshedAt = 0
function refresh(age) {
  if (Date.now() - refreshedAt < age || document.visibilityState === 'hidden') return
  refreshedAt = Date.now()
  list.ageMs = age === 0 ? 100 : age
  void rows.refresh()
  void follow()
  list.draw()
}

function tell() {
  const { isConnected, lastAt } = feed
  const isFrozen = overview.summary?.frozen
  const element = byId('connection')
  element.dataset.state = isConnected ? (isTellingOfRows || isFrozen ? 'partly' : 'live') : 'lost'
  if (!isConnected) setText(element, lostWords(lastAt))
  else if (isTellingOfRows)
    setText(element, `Live, but the list is from ${fetchedAt ? moment(fetchedAt, Date.now()) : 'before'}.`)
  else setText(element, isFrozen ? 'Live. States are frozen.' : 'Live')
}

const lostWords = (lastAt) =>
  lastAt === undefined
    ? 'Not connected: the server does not answer. Trying again.'
    : `Not connected since ${moment(lastAt, Date.now())}. What is shown is from then. Trying again.`

setInterval(() => {
  tell()
  if (feed.isConnected) refresh(ageMs(rows.total))
  list.ageMs = ageMs(rows.total)
  list.draw()
}, 1_000)

addEventListener('keydown', (event) => {
  const isTyping = event.target.closest?.('input, select, textarea')
  if (event.key !== '/' || isTyping || event.ctrlKey || event.metaKey || event.altKey) return
  event.preventDefault()
  byId('text').select()
  byId('text').focus()
})

// The address keeps the view: it is no place for the way to the list.
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault()
  list.focus()
})

show()
feed.begin()
