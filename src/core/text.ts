/** Words for people: sentences and their parts, and text from outside made safe to show. */

/** A sentence as a part of one. */
export function clause(text: string): string {
  return `${text[0]!.toLowerCase()}${text.slice(1, -1)}`
}

/** A part as a sentence of its own. */
export function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}

/** Control characters made visible: targets come from files, and a terminal obeys them. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
