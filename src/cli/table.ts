import { stripVTControlCharacters } from 'node:util'
import type { JsonObject } from '../foundation/json.ts'

/** Title of a column, and how to get its text from an item: by key, or by a function. */
export type Column = readonly [title: string, from: string | ((item: JsonObject) => unknown)]

/** Items as aligned lines under their titles. */
export function table(items: readonly JsonObject[], columns: readonly Column[]): string[] {
  const titles = columns.map(([title]) => title)
  const rows = items.map(item =>
    columns.map(([, from]) => cell(typeof from === 'function' ? from(item) : item[from])),
  )
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map(row => row[i]?.length ?? 0)))
  return [titles, ...rows].map(row =>
    row
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

/** A value as one line of text. What servers and people wrote must not move the cursor or break the line. */
export function cell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(cell).join(', ')
  if (typeof value === 'object') return JSON.stringify(value)
  return plain(String(value)).replaceAll(/\s+/g, ' ')
}

/** Text without the control characters that a terminal obeys; line ends and tabs stay. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not come through.
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '')
}
