import type { z } from 'zod'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { nearest } from '../foundation/nearest.ts'
import { type Path, type Problem, quoted, written } from './problem.ts'
import { type Manifest, manifestJsonSchema, manifestSchema } from './schema.ts'
import type { Source } from './source.ts'

/** The manifest as a typed whole, or everything that is wrong with its shape. */
export function validate(source: Source): { manifest: Manifest } | { problems: readonly Problem[] } {
  const validated = validateAs(source, manifestSchema, manifestJsonSchema)
  return 'problems' in validated ? validated : { manifest: validated.value }
}

/** A text by any schema; `jsonSchema` is the same in JSON Schema, to find out what was meant. */
export function validateAs<Value>(
  source: Source,
  schema: z.ZodType<Value>,
  jsonSchema: () => JsonObject,
): { value: Value } | { problems: readonly Problem[] } {
  const parsed = schema.safeParse(source.value)
  if (parsed.success) return { value: parsed.data }
  const known = jsonSchema()
  return { problems: parsed.error.issues.flatMap(issue => problemsOf(issue, source, known)) }
}

function problemsOf(issue: z.core.$ZodIssue, source: Source, schema: JsonObject): Problem[] {
  if (issue.code === 'invalid_union') {
    const meant = meantOption(issue.errors)
    if (meant !== undefined)
      return meant.flatMap(({ path, ...inner }) =>
        problemsOf({ ...inner, path: [...issue.path, ...path] }, source, schema),
      )
  }
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => unknownKey([...issue.path, key], source, schema))
  if (issue.code === 'invalid_key') {
    const why = issue.issues.map(inner => inner.message).join('; ')
    return [problem(issue.path, source, why, 'Correct the name.')]
  }
  const value = valueAt(source.value, issue.path)
  const words = alternatives(schemasAt(schema, issue.path))
  const meant = typeof value === 'string' ? nearest(value, words) : undefined
  const fix =
    meant !== undefined
      ? `Did you mean ${meant}?`
      : words.length > 0
        ? `Write one of: ${words.join(', ')}.`
        : value === undefined
          ? 'Add it.'
          : 'Correct the value.'
  return [problem(issue.path, source, value === undefined ? 'It is missing.' : sentence(issue.message), fix)]
}

/** The one alternative that is of the type of the value, so that what is wrong with it is within. */
function meantOption(errors: readonly (readonly z.core.$ZodIssue[])[]) {
  const isOfType = (issues: readonly z.core.$ZodIssue[]) =>
    issues.every(({ code, path }) => path.length > 0 || (code !== 'invalid_type' && code !== 'invalid_value'))
  const [meant, ...others] = errors.filter(isOfType)
  return others.length === 0 ? meant : undefined
}

function unknownKey(path: Path, source: Source, schema: JsonObject): Problem {
  const key = String(path.at(-1))
  const known = schemasAt(schema, path.slice(0, -1)).flatMap(found => Object.keys(part(found, 'properties')))
  const meant = nearest(key, known)
  const fix =
    meant === undefined
      ? `Remove it; known here: ${[...new Set(known)].join(', ')}.`
      : `Did you mean ${meant}?`
  return problem(path, source, `There is no key ${key} here.`, fix)
}

function problem(path: Path, source: Source, why: string, fix: string): Problem {
  const value = quoted(path, valueAt(source.value, path))
  return {
    code: 'manifest.invalid',
    line: source.lineOf(path),
    path: written(path),
    ...value,
    why: sentence(why),
    fix,
  }
}

function sentence(message: string): string {
  return message.endsWith('.') ? message : `${message}.`
}

export function valueAt(value: unknown, path: Path): unknown {
  let at: unknown = value
  for (const step of path) {
    if (Array.isArray(at)) at = at[Number(step)]
    else if (isObject(at) && Object.hasOwn(at, step)) at = at[String(step)]
    else return undefined
  }
  return at
}

/** Every schema that could apply at the path, whichever alternative is meant. */
function schemasAt(schema: JsonObject, path: Path): JsonObject[] {
  let found = expanded(schema)
  for (const step of path) {
    const next = found.flatMap(each =>
      typeof step === 'number' ? [part(each, 'items')] : [property(each, String(step))],
    )
    found = next.flatMap(expanded)
  }
  return found
}

function property(schema: JsonObject, name: string): JsonObject {
  const properties = part(schema, 'properties')
  return Object.hasOwn(properties, name) ? part(properties, name) : part(schema, 'additionalProperties')
}

function expanded(schema: JsonObject): JsonObject[] {
  const options = ['anyOf', 'oneOf'].flatMap(word => (Array.isArray(schema[word]) ? schema[word] : []))
  return options.length === 0 ? [schema] : options.filter(isObject).flatMap(expanded)
}

function part(schema: JsonObject, name: string): JsonObject {
  const found = schema[name]
  return isObject(found) ? found : {}
}

function alternatives(schemas: readonly JsonObject[]): string[] {
  const words = schemas.flatMap(({ const: only, enum: several }) =>
    Array.isArray(several) ? several : [only],
  )
  return [...new Set(words.filter(word => typeof word === 'string'))]
}
