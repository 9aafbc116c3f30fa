/** Elements, made without a line of HTML: whatever comes from outside becomes text, and nothing else. */
import { printable } from '../../core/text.js'

const svgNamespace = 'http://www.w3.org/2000/svg'

export const byId = (id) => document.getElementById(id)

/** `h('p', { class: 'note' }, 'text', element)`. Attributes that are undefined are left out. */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name)
  setAttributes(element, attributes)
  element.append(...children)
  return element
}

/** The same for drawings. */
export function s(name, attributes = {}, ...children) {
  const element = document.createElementNS(svgNamespace, name)
  setAttributes(element, attributes)
  element.append(...children)
  return element
}

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(name, value)
  }
}

/** Text of ours. The page is left alone where nothing changes. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** Text from outside: what could not be seen, or reorders what stands around it, is shown escaped. */
export const outside = (text) => printable(String(text))

/** The same where there is little room. */
export function outsideShort(text, atMost = 240) {
  const all = String(text)
  return printable(all.length > atMost ? `${all.slice(0, atMost)}…` : all)
}
