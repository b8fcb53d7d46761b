import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'

/** The JSON object that an option was given. Throws `cli.usage`. */
export function parsedObject(option: string, text: string, example: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    if (isObject(value)) return value
  } catch (cause) {
    return fail('cli.usage', { why: `${option} is no JSON.`, cause })
  }
  return fail('cli.usage', {
    why: `${option} is no JSON object.`,
    fix: `Write it as ${option} '${example}'.`,
  })
}
