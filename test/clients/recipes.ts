/** The code of docs/clients.md as modules: what the page shows is what runs. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { connect } from 'cancelpoint'

const page = readFileSync(new URL('../../docs/clients.md', import.meta.url), 'utf8')
const directory = new URL('../../dist/recipes/', import.meta.url)

function moduleOf(name: string, code: string): URL {
  mkdirSync(directory, { recursive: true })
  const file = new URL(`${name}.mjs`, directory)
  writeFileSync(file, code)
  return file
}

/** What recipes import in the place of cancelpoint that are to use one engine. */
function cancelpointOver(engine: string): URL {
  const exports = `export const { connect, createConnection, Agent, connector } = over('${engine}')\n`
  return moduleOf(`over-${engine}`, `import { over } from '${new URL('over.mjs', import.meta.url)}'\n${exports}`)
}

/** `connect` as those recipes have it. */
export async function connectOver(engine: string): Promise<typeof connect> {
  return (await import(fileURLToPath(cancelpointOver(engine)))).connect
}

/** The block under the heading `## name`. */
export function codeOf(name: string): string {
  const code = new RegExp(`^## ${name}\\n[^]*?^\`\`\`js\\n([^]*?)^\`\`\``, 'm').exec(page)?.[1]
  if (code === undefined) throw new Error(`docs/clients.md has no code for ${name}`)
  return code
}

/** That code as a module, in the language of the page: without types. As it stands, or over one engine. */
// biome-ignore lint/suspicious/noExplicitAny: recipes are JavaScript
export async function recipe(name: string, engine?: string): Promise<any> {
  const code = codeOf(name)
  const file = engine
    ? moduleOf(`${name}-${engine}`, code.replace(/'cancelpoint(\/\w+)?'/g, `'${cancelpointOver(engine)}'`))
    : moduleOf(name, code)
  return import(fileURLToPath(file))
}

/** The clients that the page has code for. */
export const recipes = [...page.matchAll(/^## (\S+)$/gm)].map(([, name]) => name!)
