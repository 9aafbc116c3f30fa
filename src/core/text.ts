/** Words for people: sentences and their parts, and text from outside made safe to show. */

/** A sentence as a part of one. */
export function clause(text: string): string {
  return `${text[0]!.toLowerCase()}${text.slice(1, -1)}`
}

/** A part as a sentence of its own. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}

/**
 * What a terminal obeys, what reorders the text around it, and what looks like nothing or like a space: every control and
 * format character, lone surrogate, private and unassigned code point (category C), every separator but the space
 * (category Z), all that Unicode lets a font ignore (variation selectors, fillers), and the blank Braille pattern.
 */
const unsafe = /(?! )[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\u2800]/gu

/** Nearly every text is, and a pattern without tables of Unicode tells it ten times as fast. */
const plainAscii = /^[ -~]*$/

/**
 * One line that is safe to show: each unsafe character as `\uXXXX`, one beyond U+FFFF as its two surrogates. Text from
 * outside passes through here before a person sees it.
 */
export function printable(text: string): string {
  return plainAscii.test(text) ? text : text.replace(unsafe, escaped)
}

/** The same of several lines, whose ends stay: for messages in which a library has put text from outside. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

/** JSON in one line, safe to show, that reads back as the same value: JSON has unsafe characters in strings alone. */
export function jsonLine(value: unknown): string {
  return printable(JSON.stringify(value))
}

function escaped(character: string): string {
  let text = ''
  for (let i = 0; i < character.length; i += 1) text += `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`
  return text
}
