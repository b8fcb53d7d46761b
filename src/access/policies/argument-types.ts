/** The JSON Schema of a tool's input as types of Cedar, as far as Cedar has them. */
import { isObject, type JsonObject } from '../../foundation/json.ts'

export type CedarType =
  | { readonly type: 'String' | 'Long' | 'Boolean' | 'Decimal' }
  | { readonly type: 'Set'; readonly element: CedarType }
  | { readonly type: 'Record'; readonly attributes: ReadonlyMap<string, CedarType> }
  /** Nothing Cedar has a type for; a policy cannot read it. */
  | { readonly type: 'Unknown' }

const deepest = 8
const unknown: CedarType = { type: 'Unknown' }
const noArguments: CedarType = { type: 'Record', attributes: new Map() }
const simple: Readonly<Record<string, CedarType>> = {
  string: { type: 'String' },
  integer: { type: 'Long' },
  number: { type: 'Decimal' },
  boolean: { type: 'Boolean' },
}

const made = new WeakMap<object, CedarType>()

/** What the arguments of a tool are; a record without attributes where its schema says nothing. */
export function argumentTypes(inputSchema: unknown): CedarType {
  if (!isObject(inputSchema)) return noArguments
  const before = made.get(inputSchema)
  if (before !== undefined) return before
  const type = typeOf(inputSchema, inputSchema, 0)
  const record = type.type === 'Record' ? type : noArguments
  made.set(inputSchema, record)
  return record
}

function typeOf(schema: unknown, root: JsonObject, depth: number): CedarType {
  if (!isObject(schema) || depth > deepest) return unknown
  const inner = (part: unknown) => typeOf(part, root, depth + 1)
  if (typeof schema.$ref === 'string') return inner(referred(schema.$ref, root))
  const options = ['anyOf', 'oneOf', 'allOf'].flatMap(word =>
    Array.isArray(schema[word]) ? schema[word] : [],
  )
  if (options.length > 0) return options.filter(isNotNull).map(inner).reduce(common)
  const names = namesOf(schema).filter(name => name !== 'null')
  if (names.length === 0) return unknown
  return names.map(name => named(name, schema, inner)).reduce(common)
}

function namesOf(schema: JsonObject): unknown[] {
  if (Array.isArray(schema.type)) return schema.type
  if (schema.type !== undefined) return [schema.type]
  if (isObject(schema.properties)) return ['object']
  const values = Array.isArray(schema.enum) ? schema.enum : 'const' in schema ? [schema.const] : []
  return [...new Set(values.map(jsonTypeOf))]
}

function named(name: unknown, schema: JsonObject, inner: (part: unknown) => CedarType): CedarType {
  if (name === 'array') {
    const element = inner(schema.items)
    return element.type === 'Unknown' ? unknown : { type: 'Set', element }
  }
  if (name !== 'object') return simple[String(name)] ?? unknown
  const properties = isObject(schema.properties) ? Object.entries(schema.properties) : []
  return { type: 'Record', attributes: new Map(properties.map(([key, part]) => [key, inner(part)])) }
}

function jsonTypeOf(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return value === null ? 'null' : typeof value
}

function isNotNull(schema: unknown): boolean {
  return !isObject(schema) || schema.type !== 'null'
}

function referred(reference: string, root: JsonObject): unknown {
  if (!reference.startsWith('#/')) return undefined
  let at: unknown = root
  for (const step of reference.slice(2).split('/')) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined
  }
  return at
}

/** What is of both types. A record has what either has, since every argument may be missing. */
export function common(a: CedarType, b: CedarType): CedarType {
  if (a.type === 'Set' && b.type === 'Set') {
    const element = common(a.element, b.element)
    return element.type === 'Unknown' ? unknown : { type: 'Set', element }
  }
  if (a.type === 'Record' && b.type === 'Record') {
    const attributes = new Map(a.attributes)
    for (const [name, type] of b.attributes) {
      const other = attributes.get(name)
      attributes.set(name, other === undefined ? type : common(other, type))
    }
    return { type: 'Record', attributes }
  }
  if (isNumber(a) && isNumber(b)) return a.type === b.type ? a : (simple.number ?? unknown)
  return a.type === b.type ? a : unknown
}

function isNumber({ type }: CedarType): boolean {
  return type === 'Long' || type === 'Decimal'
}

/** The type at a path below; undefined where there is nothing. */
export function typeAt(type: CedarType, path: readonly string[]): CedarType | undefined {
  const [name, ...rest] = path
  if (name === undefined) return type
  const inner = type.type === 'Record' ? type.attributes.get(name) : undefined
  return inner && typeAt(inner, rest)
}

export function written(type: CedarType): string {
  if (type.type === 'Set') return `Set<${written(type.element)}>`
  return type.type === 'Decimal' ? 'decimal' : type.type === 'Boolean' ? 'Bool' : type.type
}
