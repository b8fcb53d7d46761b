/** Reading everything an upstream offers: all pages, raw definitions, a hash of each. */
import { elements, isDeeper, isObject, type JsonObject, onlyAt } from '../foundation/json.ts'
import { definitionHash } from './definition-hash.ts'
import { badAnswer } from './message.ts'
import type { OwnClient } from './own-client.ts'

export type ItemKind = 'tool' | 'resource' | 'template' | 'prompt'

export type CatalogueItem = {
  readonly kind: ItemKind
  /** Name of a tool or prompt, URI of a resource, URI template of a template. */
  readonly name: string
  /** The definition exactly as the server wrote it. */
  readonly definition: string
  /** SHA-256 of its RFC 8785 form, hex. */
  readonly hash: string
}

export type CatalogueLimits = { readonly cataloguePages: number; readonly catalogueItems: number }

/** A definition nested deeper than this is nothing a client could use. */
export const deepest = 64

export type Reading = { readonly items: readonly CatalogueItem[]; readonly warnings: readonly string[] }

type List = {
  readonly kind: ItemKind
  readonly method: string
  readonly key: string
  readonly capability: string
  readonly name: string
}

const lists: readonly List[] = [
  { kind: 'tool', method: 'tools/list', key: 'tools', capability: 'tools', name: 'name' },
  { kind: 'resource', method: 'resources/list', key: 'resources', capability: 'resources', name: 'uri' },
  {
    kind: 'template',
    method: 'resources/templates/list',
    key: 'resourceTemplates',
    capability: 'resources',
    name: 'uriTemplate',
  },
  { kind: 'prompt', method: 'prompts/list', key: 'prompts', capability: 'prompts', name: 'name' },
]

/** No page is asked for after this time, however many there are: callers may be waiting. */
const mostSeconds = 15

/** Walks every list the upstream says it has, within the limits. Throws `upstream.*` when its tools cannot be read. */
export async function readCatalogue(client: OwnClient, limits: CatalogueLimits): Promise<Reading> {
  const capabilities = isObject(client.greeting.capabilities) ? client.greeting.capabilities : {}
  const items: CatalogueItem[] = []
  const warnings: string[] = []
  const until = performance.now() + mostSeconds * 1000
  for (const list of lists) {
    if (capabilities[list.capability] === undefined) continue
    items.push(...(await readList(client, list, { ...limits, until }, warnings)))
  }
  return { items, warnings }
}

async function readList(
  client: OwnClient,
  list: List,
  limits: CatalogueLimits & { readonly until: number },
  warnings: string[],
): Promise<CatalogueItem[]> {
  const found = new Map<string, CatalogueItem>()
  const cursors = new Set<string>()
  let cursor: string | undefined
  for (let page = 0; ; page++) {
    if (page >= limits.cataloguePages) {
      warnings.push(`${list.method}: stopped after ${limits.cataloguePages} pages.`)
      break
    }
    if (page > 0 && performance.now() > limits.until) {
      warnings.push(`${list.method}: stopped after ${mostSeconds} seconds.`)
      break
    }
    const { bytes, body } = await client.ask(list.method, cursor === undefined ? {} : { cursor })
    const result = isObject(body.result) ? body.result : {}
    for (const item of itemsOf(bytes, result, list, warnings)) found.set(item.name, item)
    if (found.size > limits.catalogueItems) {
      warnings.push(`${list.method}: stopped after ${limits.catalogueItems} items.`)
      break
    }
    if (typeof result.nextCursor !== 'string') break
    if (cursors.has(result.nextCursor)) {
      warnings.push(`${list.method}: stopped, because the server gave the same cursor twice.`)
      break
    }
    cursor = result.nextCursor
    cursors.add(cursor)
  }
  return [...found.values()].slice(0, limits.catalogueItems)
}

function itemsOf(bytes: Buffer, result: JsonObject, list: List, warnings: string[]): CatalogueItem[] {
  const values = result[list.key]
  const start = onlyAt(bytes, ['result', list.key])
  if (!Array.isArray(values) || start === undefined)
    throw badAnswer(`Its answer to ${list.method} has not exactly one list of ${list.key}.`)
  return [...elements(bytes, start)].flatMap((element, index) => {
    const value: unknown = values[index]
    const name = isObject(value) ? value[list.name] : undefined
    if (typeof name !== 'string' || name === '') return []
    if (name.includes('\0')) {
      warnings.push(`${list.method}: left out a name with a NUL in it.`)
      return []
    }
    if (isDeeper(value, deepest)) {
      warnings.push(
        `${list.method}: left out ${JSON.stringify(name.slice(0, 64))}, which is nested deeper than ${deepest} levels.`,
      )
      return []
    }
    const definition = bytes.toString('utf8', element.start, element.end)
    return [{ kind: list.kind, name, definition, hash: definitionHash(definition, value) }]
  })
}

/** The same as long as a server offers the same. */
export function hashesOf(items: readonly CatalogueItem[]): string {
  return items.map(({ kind, name, hash }) => `${kind} ${name} ${hash}`).join('\n')
}

/** What the server calls itself in its InitializeResult or DiscoverResult. */
export function serverNameOf(greeting: { readonly [key: string]: unknown }): string {
  const own = isObject(greeting._meta) ? greeting._meta['io.modelcontextprotocol/serverInfo'] : undefined
  const info = own ?? greeting.serverInfo
  return isObject(info) && typeof info.name === 'string' ? info.name.slice(0, 200) : ''
}
