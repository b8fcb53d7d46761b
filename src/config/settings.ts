/** The configuration schema as a flat list of settings, for the reader and for docs/configuration.md. */
import { z } from 'zod'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { configSchema } from './schema.ts'

export type Setting = {
  readonly path: readonly string[]
  /** As in the file, joined by dots: `limits.callSeconds`. */
  readonly key: string
  /** Its environment variable: `GATEHOUSE_LIMITS_CALL_SECONDS`. */
  readonly variable: string
  readonly form: 'text' | 'number' | 'boolean' | 'list'
  /** Secret values are never shown, not even wrong ones. */
  readonly isSecret: boolean
  readonly description: string
  readonly defaultValue: unknown
  readonly choices: readonly string[]
}

export const settings: readonly Setting[] = settingsOf(z.toJSONSchema(configSchema, { io: 'output' }), [])

function settingsOf(schema: unknown, path: readonly string[]): Setting[] {
  if (!isObject(schema)) return []
  if (!isObject(schema.properties)) return [settingOf(schema, path)]
  return Object.entries(schema.properties).flatMap(([name, inner]) => settingsOf(inner, [...path, name]))
}

function settingOf(schema: JsonObject, path: readonly string[]): Setting {
  const choices = schema.enum
  return {
    path,
    key: path.join('.'),
    variable:
      `GATEHOUSE_${path.map(step => step.replace(/[A-Z]/g, letter => `_${letter}`)).join('_')}`.toUpperCase(),
    form: formOf(schema.type),
    isSecret: schema.secret === true,
    description: String(schema.description ?? ''),
    defaultValue: schema.default,
    choices: Array.isArray(choices) ? choices.map(String) : [],
  }
}

function formOf(type: unknown): Setting['form'] {
  if (type === 'boolean') return 'boolean'
  if (type === 'array') return 'list'
  return type === 'integer' || type === 'number' ? 'number' : 'text'
}

const yes = ['true', 'yes', 'on', '1']
const no = ['false', 'no', 'off', '0']

/** A setting's value from text, as flags and environment give it; text that does not fit stays text, for the schema to refuse. */
export function fromText(setting: Setting, text: string): unknown {
  if (setting.form === 'list') {
    return text
      .split(',')
      .map(item => item.trim())
      .filter(item => item !== '')
  }
  if (setting.form === 'boolean') {
    if (yes.includes(text.toLowerCase())) return true
    if (no.includes(text.toLowerCase())) return false
  }
  return text
}
