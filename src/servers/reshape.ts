/** The definition of a tool or prompt as the users of a virtual server see it. What nobody changed stays as its server wrote it. */
import { isObject, type JsonObject, spanAt } from '../foundation/json.ts'
import { edited } from '../foundation/json-edit.ts'
import type { ArgumentRule, ArgumentRules } from './definition.ts'

export type Look = {
  readonly name: string
  readonly title?: string | undefined
  readonly description?: string | undefined
  readonly arguments?: ArgumentRules | undefined
}

/** How a tool may be run as a task, which nothing behind several servers is. */
const dropped = 'execution'

/** The text of a definition with another look. */
export function reshaped(definition: string, own: string, look: Look): string {
  const bytes = Buffer.from(definition)
  const add: Record<string, string> = {}
  if (look.name !== own) add.name = JSON.stringify(look.name)
  if (look.title !== undefined) add.title = JSON.stringify(look.title)
  if (look.description !== undefined) add.description = JSON.stringify(look.description)
  if (look.arguments !== undefined) add.inputSchema = JSON.stringify(schemaOf(bytes, look.arguments))
  const hasTasks = spanAt(bytes, [dropped]) !== undefined
  if (Object.keys(add).length === 0 && !hasTasks) return definition
  const drop = new Set([...Object.keys(add), dropped])
  return edited(bytes, [], { drop, add }).toString()
}

function schemaOf(bytes: Buffer, rules: ArgumentRules): JsonObject {
  const span = spanAt(bytes, ['inputSchema'])
  const schema: unknown = span && JSON.parse(bytes.toString('utf8', span.start, span.end))
  return reshapedSchema(isObject(schema) ? schema : { type: 'object' }, rules)
}

/** An input schema that says what callers may send. */
export function reshapedSchema(schema: JsonObject, rules: ArgumentRules): JsonObject {
  const properties: Record<string, unknown> = {
    ...(isObject(schema.properties) ? schema.properties : {}),
  }
  let required = Array.isArray(schema.required) ? schema.required : []
  for (const [name, rule] of Object.entries(rules)) {
    if (isHidden(rule)) delete properties[name]
    else properties[name] = narrowed(properties[name], rule)
    const isSet = isHidden(rule) || rule.value !== undefined || rule.default !== undefined
    if (isSet) required = required.filter(each => each !== name)
  }
  const { required: _, ...rest } = schema
  return { ...rest, properties, ...(required.length > 0 ? { required } : {}) }
}

export function isHidden({ hidden, value }: ArgumentRule): boolean {
  return hidden ?? value !== undefined
}

function narrowed(property: unknown, rule: ArgumentRule): JsonObject {
  const before = isObject(property) ? property : {}
  return {
    ...before,
    ...(rule.description === undefined ? {} : { description: rule.description }),
    ...(rule.value === undefined ? {} : { const: rule.value }),
    ...(rule.default === undefined ? {} : { default: rule.default }),
    ...(rule.enum === undefined ? {} : { enum: rule.enum }),
    ...(rule.minimum === undefined ? {} : { minimum: above(before.minimum, rule.minimum) }),
    ...(rule.maximum === undefined ? {} : { maximum: below(before.maximum, rule.maximum) }),
  }
}

function above(before: unknown, rule: number): number {
  return typeof before === 'number' ? Math.max(before, rule) : rule
}

function below(before: unknown, rule: number): number {
  return typeof before === 'number' ? Math.min(before, rule) : rule
}

/**
 * An argument that rules speak of and this definition does not name; undefined when there is none. One with a fixed value is sent as the
 * author says, unless the schema takes no others than it names.
 */
export function strangeArgument(definition: string, rules: ArgumentRules): string | undefined {
  const schema = inputSchemaOf(definition)
  const properties = isObject(schema.properties) ? schema.properties : {}
  const isClosed = schema.additionalProperties === false
  const found = Object.entries(rules).find(
    ([name, { value }]) => !Object.hasOwn(properties, name) && (value === undefined || isClosed),
  )
  return found?.[0]
}

/** An argument that is needed and that nobody could send, for it is hidden and has no value; undefined when there is none. */
export function lackingArgument(definition: string, rules: ArgumentRules): string | undefined {
  const { required } = inputSchemaOf(definition)
  const needed: readonly unknown[] = Array.isArray(required) ? required : []
  const found = Object.entries(rules).find(
    ([name, rule]) =>
      isHidden(rule) && rule.value === undefined && rule.default === undefined && needed.includes(name),
  )
  return found?.[0]
}

function inputSchemaOf(definition: string): JsonObject {
  const parsed: unknown = JSON.parse(definition)
  return isObject(parsed) && isObject(parsed.inputSchema) ? parsed.inputSchema : {}
}
