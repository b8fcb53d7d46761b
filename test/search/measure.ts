/** How good the search is: the questions of questions.json, asked of all catalogues together. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { openSearch, type SearchedTool } from '../../src/servers/index.ts'
import { ROOT } from '../fixtures/process.ts'

const FOLDER = join(ROOT, 'test', 'search')

const catalogue = z.object({
  name: z.string(),
  package: z.string(),
  version: z.string(),
  license: z.string(),
  tools: z.array(z.looseObject({ name: z.string() })),
})
const question = z.object({
  question: z.string(),
  /** Any of these is right: `server/tool`. */
  tools: z.array(z.string()).min(1),
  /** People say what they want done; agents name the action and the thing. */
  by: z.enum(['person', 'agent']),
  /** The ranking was tuned by the misses of one half; the other says how far that holds. */
  half: z.enum(['tuning', 'held-out']),
})

export type Catalogue = z.infer<typeof catalogue>
export type Asked = z.infer<typeof question> & {
  /** At which place the first right tool was found, from 1; Infinity when not at all. */
  readonly place: number
  readonly found: readonly string[]
}

export function readCatalogues(): Catalogue[] {
  const folder = join(FOLDER, 'catalogues')
  const names = readdirSync(folder).sort()
  return names.map(name => catalogue.parse(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
}

export function readQuestions(): z.infer<typeof question>[] {
  return z.array(question).parse(JSON.parse(readFileSync(join(FOLDER, 'questions.json'), 'utf8')))
}

/** Every tool under the name that callers see where all servers are one: its own when that is unique, else `server__tool`. */
export function composed(catalogues: readonly Catalogue[]): (SearchedTool & { readonly of: string })[] {
  const all = catalogues.flatMap(({ name: server, tools }) =>
    tools.map(definition => ({ server, definition })),
  )
  const isUnique = (name: string) => all.filter(({ definition }) => definition.name === name).length === 1
  return all.map(({ server, definition }) => {
    const name = isUnique(definition.name) ? definition.name : `${server}__${definition.name}`
    return { name, definition: { ...definition, name }, server, of: `${server}/${definition.name}` }
  })
}

/** Asks every question and looks how far down the first right tool is. */
export function askAll(catalogues: readonly Catalogue[] = readCatalogues()): Asked[] {
  const tools = composed(catalogues)
  const search = openSearch(tools)
  const originOf = new Map(tools.map(({ name, of }) => [name, of]))
  return readQuestions().map(asked => {
    const found = search.find(asked.question, tools.length).map(({ name }) => originOf.get(name) ?? name)
    const at = found.findIndex(name => asked.tools.includes(name))
    return { ...asked, place: at < 0 ? Number.POSITIVE_INFINITY : at + 1, found: found.slice(0, 5) }
  })
}

/** The part of the questions that had a right tool among the first so many. */
export function hitRate(asked: readonly Asked[], first: number): number {
  return asked.filter(({ place }) => place <= first).length / asked.length
}

export function describeMiss({ question: text, tools, place, found }: Asked): string {
  const where = place === Number.POSITIVE_INFINITY ? 'not found' : `at ${place}`
  return `${text}: ${tools.join(', ')} ${where}, after ${found.join(', ')}`
}
