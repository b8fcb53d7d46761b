/** What of a tool's definition is searched, and how much each part counts. */
import { isObject, type JsonObject } from '../foundation/json.ts'
import { termsOf } from './search-words.ts'

export type SearchedTool = {
  readonly name: string
  /** As in the answer to tools/list. */
  readonly definition: JsonObject
  /** What its server is called, where the name does not begin with it (`server__tool`). */
  readonly server?: string
}

export type FieldName = keyof typeof fields

/** `weight`: what a word here counts. `evenness`: how far many words make each count less, from 0 to 1. */
export const fields = {
  name: { weight: 4, evenness: 0.3 },
  server: { weight: 4, evenness: 0 },
  title: { weight: 0.7, evenness: 0.3 },
  opening: { weight: 2, evenness: 0.5 },
  description: { weight: 0.85, evenness: 0.5 },
  arguments: { weight: 0.7, evenness: 0.5 },
  values: { weight: 0.5, evenness: 0.8 },
} as const

const maxChars = 4000
const maxSchemas = 500
const maxChoices = 100
const maxDepth = 6

/** The terms of a tool in each field, read from a bounded part of its definition. */
export function fieldsOf({ name, definition, server = '' }: SearchedTool): Record<FieldName, string[]> {
  const at = name.indexOf('__')
  const { title, annotations, description } = definition
  const whole = text(description).slice(0, maxChars)
  const end = endOfOpening(whole)
  const schema = textsOf(definition.inputSchema)
  return {
    name: termsOf(name.slice(at < 0 ? 0 : at + 2).slice(0, maxChars)),
    server: termsOf(at < 0 ? server : name.slice(0, at)),
    title: termsOf((text(title) || text(isObject(annotations) ? annotations.title : '')).slice(0, maxChars)),
    opening: termsOf(whole.slice(0, end)),
    description: termsOf(whole.slice(end)),
    arguments: termsOf(schema.names),
    values: termsOf(schema.values),
  }
}

/** The first sentence of a description says what a tool is for; what follows is detail. */
function endOfOpening(description: string): number {
  const found = /[.!?](?:\s|$)|\n\s*\n/.exec(description)
  return Math.min(found === null ? description.length : found.index + 1, 300)
}

type SchemaTexts = { names: string; values: string }

/** The names of arguments, and their descriptions and allowed values, as deep as a person would look. */
function textsOf(schema: unknown): SchemaTexts {
  const texts: SchemaTexts = { names: '', values: '' }
  let level: unknown[] = [schema]
  let seen = 0
  for (let depth = 0; depth < maxDepth && level.length > 0; depth++) {
    const next: unknown[] = []
    for (const one of level) {
      if (!isObject(one) || ++seen > maxSchemas) continue
      const said = depth > 0 ? [one.description, one.title] : []
      const choices = Array.isArray(one.enum) ? one.enum.slice(0, maxChoices) : []
      texts.values = longer(texts.values, [...said, ...choices])
      next.push(...innerSchemas(one, texts))
    }
    level = next
  }
  return texts
}

function innerSchemas(schema: JsonObject, texts: SchemaTexts): unknown[] {
  const { properties, items, anyOf, oneOf, allOf } = schema
  const inner = isObject(properties) ? Object.entries(properties).slice(0, maxSchemas) : []
  texts.names = longer(
    texts.names,
    inner.map(([name]) => name),
  )
  const choices = [anyOf, oneOf, allOf].flatMap(list =>
    Array.isArray(list) ? list.slice(0, maxChoices) : [],
  )
  return [...inner.map(([, one]) => one), items, ...choices]
}

function longer(before: string, more: readonly unknown[]): string {
  let whole = before
  for (const one of more) {
    const room = maxChars - whole.length
    if (room <= 0) break
    whole += ` ${text(one).slice(0, room)}`
  }
  return whole
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
