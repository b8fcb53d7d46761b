/** Arguments of a tool that are mirrored into `Mcp-Param-*` headers (MCP 2026-07-28, basic/transports/streamable-http, "Schema extension"). */
import { isObject } from '../foundation/json.ts'

export type MirroredArgument = {
  /** The header's name, in lower case. */
  readonly header: string
  /** Where the argument stands in `params.arguments`. */
  readonly path: readonly string[]
}

/** Below this, paths would cost more than any tool is worth. */
const deepest = 64

const annotation = 'x-mcp-header'
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/
const mirroredTypes: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean'])

// Where a schema holds further schemas. Only through `properties` does an annotation name one argument and no other.
const inMaps = ['$defs', 'definitions', 'patternProperties', 'dependentSchemas'] as const
const inPlace = [
  'items',
  'prefixItems',
  'contains',
  'additionalProperties',
  'unevaluatedProperties',
  'unevaluatedItems',
  'propertyNames',
  'oneOf',
  'anyOf',
  'allOf',
  'not',
  'if',
  'then',
  'else',
] as const

type Place = { readonly schema: unknown; readonly path: readonly string[] | undefined }

/** What an input schema says is mirrored; `invalid` when one annotation is not valid, because then the tool is not (ibid.). */
export function mirroredArguments(inputSchema: unknown): readonly MirroredArgument[] | 'invalid' {
  const found: MirroredArgument[] = []
  const names = new Set<string>()
  const places: Place[] = [{ schema: inputSchema, path: [] }]
  for (let place = places.pop(); place !== undefined; place = places.pop()) {
    const { schema, path } = place
    if (!isObject(schema)) continue
    if (annotation in schema) {
      const name = schema[annotation]
      if (path === undefined || path.length === 0 || !mirroredTypes.has(schema.type)) return 'invalid'
      if (typeof name !== 'string' || !token.test(name) || names.has(name.toLowerCase())) return 'invalid'
      names.add(name.toLowerCase())
      found.push({ header: `mcp-param-${name.toLowerCase()}`, path })
    }
    for (const [name, property] of Object.entries(isObject(schema.properties) ? schema.properties : {}))
      places.push({ schema: property, path: path && path.length < deepest ? [...path, name] : undefined })
    for (const hidden of hiddenIn(schema)) places.push({ schema: hidden, path: undefined })
  }
  return found
}

function* hiddenIn(schema: { readonly [key: string]: unknown }): Generator<unknown> {
  for (const key of inMaps) {
    const map = schema[key]
    if (isObject(map)) yield* Object.values(map)
  }
  for (const key of inPlace) {
    const one = schema[key]
    if (Array.isArray(one)) yield* one
    else if (one !== undefined) yield one
  }
}
