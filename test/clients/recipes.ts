/** The code of docs/clients.md as modules: what the page shows is what runs. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const page = readFileSync(new URL('../../docs/clients.md', import.meta.url), 'utf8')

/** The block under the heading `## name`, in the language of the page: without types. */
// biome-ignore lint/suspicious/noExplicitAny: recipes are JavaScript
export async function recipe(name: string): Promise<any> {
  const code = new RegExp(`^## ${name}\\n[^]*?^\`\`\`js\\n([^]*?)^\`\`\``, 'm').exec(page)?.[1]
  if (code === undefined) throw new Error(`docs/clients.md has no code for ${name}`)
  const directory = new URL('../../dist/recipes/', import.meta.url)
  mkdirSync(directory, { recursive: true })
  const file = new URL(`${name}.mjs`, directory)
  writeFileSync(file, code)
  return import(fileURLToPath(file))
}

/** The clients that the page has code for. */
export const recipes = [...page.matchAll(/^## (\S+)$/gm)].map(([, name]) => name!)
