/** A tool in one line: what it is for, and its arguments as a program would write them. */
import { isObject, type JsonObject } from '../foundation/json.ts'

const maxOpeningChars = 200
const maxArguments = 16
const maxChoices = 6
const maxChoiceChars = 40

/** The first sentence of a tool's description, or its title, on one line. */
export function openingOf({ description, title, annotations }: JsonObject): string {
  const own = isObject(annotations) ? annotations.title : undefined
  const text = [description, title, own].find(value => typeof value === 'string' && value.trim() !== '')
  const line = shortened(String(text ?? 'No description.').trimStart(), 4 * maxOpeningChars).trim()
  const sentence = /^.{8,}?[.!?](?=\s)/.exec(line)?.[0] ?? line
  return shortened(sentence, maxOpeningChars)
}

/** The arguments that a schema describes: `path: string, head?: number`. The required ones come first. */
export function signatureOf(schema: unknown): string {
  if (!isObject(schema) || !isObject(schema.properties)) return ''
  const required = new Set<unknown>(Array.isArray(schema.required) ? schema.required : [])
  const all = Object.entries(schema.properties)
  const ordered = [
    ...all.filter(([name]) => required.has(name)),
    ...all.filter(([name]) => !required.has(name)),
  ]
  const shown = ordered
    .slice(0, maxArguments)
    .map(([name, one]) => `${shortened(name, 64)}${required.has(name) ? '' : '?'}: ${typeOf(one, 0)}`)
  return [...shown, ...(all.length > maxArguments ? ['...'] : [])].join(', ')
}

function typeOf(schema: unknown, depth: number): string {
  if (!isObject(schema) || depth > 2) return 'any'
  const { enum: choices, const: only, type, items } = schema
  if (Array.isArray(choices))
    return oneOf(choices.map(choice => shortened(String(JSON.stringify(choice)), maxChoiceChars)))
  if (only !== undefined) return shortened(String(JSON.stringify(only)), maxChoiceChars)
  const list = [schema.anyOf, schema.oneOf].find(Array.isArray)
  if (list !== undefined) return oneOf(list.map(one => typeOf(one, depth + 1)))
  if (Array.isArray(type)) return oneOf(type.map(one => shortened(String(one), maxChoiceChars)))
  if (type === 'array') return arrayOf(typeOf(items, depth + 1))
  return typeof type === 'string' ? shortened(type, maxChoiceChars) : 'any'
}

function arrayOf(type: string): string {
  return type.includes('|') ? `(${type})[]` : `${type}[]`
}

function oneOf(types: readonly string[]): string {
  const unlike = [...new Set(types)]
  return [...unlike.slice(0, maxChoices), ...(unlike.length > maxChoices ? ['...'] : [])].join('|')
}

/** On one line, and not longer than that. */
function shortened(text: string, maxChars: number): string {
  const line = text.slice(0, 4 * maxChars).replace(/\s+/g, ' ')
  if (line.length <= maxChars) return line
  // Not through the middle of a character that takes two units.
  return `${line.slice(0, maxChars - 3).replace(/[\uD800-\uDBFF]$/, '')}...`
}
