/** `{{NAME}}` in a header or a variable: where the value that somebody gives for themselves goes. */
import { z } from 'zod'
import type { Field } from './auth-type.ts'

const placeholder = /\{\{([A-Z][A-Z0-9_]{0,63})\}\}/g
const name = z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'names are like API_KEY')

/** What people are asked for. */
export const fieldsSchema = z
  .record(
    name,
    z.strictObject({
      title: z.string().min(1).max(100).optional(),
      description: z.string().max(500).optional().describe('Where they find it.'),
    }),
  )
  .optional()
  .describe('What is shown to people who are asked for a value, by its name.')

type Fields = z.infer<typeof fieldsSchema>

/** The names in these texts, each once. */
export function namesIn(texts: readonly string[]): string[] {
  return [
    ...new Set(texts.flatMap(text => Array.from(text.matchAll(placeholder), ([, found = '']) => found))),
  ]
}

/** Why these texts do not go with who gives the values; undefined when they do. */
export function wrongWith(
  texts: readonly string[],
  { isShared, fields = {} }: { isShared: boolean; fields?: Fields },
): string | undefined {
  const names = namesIn(texts)
  if (isShared)
    return names.length === 0
      ? undefined
      : `{{${names[0]}}} is for values of each user or team: set credentials`
  if (names.length === 0) return 'say where the value of each goes, as {{API_KEY}}'
  const unknown = Object.keys(fields).find(field => !names.includes(field))
  return unknown === undefined ? undefined : `fields has ${unknown}, which stands nowhere`
}

/** What people are asked for, in the order in which it stands. */
export function fieldsOf(texts: readonly string[], fields: Fields): Field[] {
  return namesIn(texts).map(found => ({
    name: found,
    title: fields?.[found]?.title ?? found,
    description: fields?.[found]?.description,
  }))
}

/** The text with every value in its place. Values are not searched again. */
export function filled(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(placeholder, (_, found: string) => values[found] ?? '')
}
