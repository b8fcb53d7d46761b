/** A spooled line as a row of the table. */
import type { Row } from '../database/index.ts'
import { isObject } from '../foundation/json.ts'
import { columnText, principalOf } from './table.ts'

const text = String.raw`"[^"\\\x00-\x1f]*"`
const taken = String.raw`"([^"\\\x00-\x1f]*)"`
const whole = String.raw`\d+`
const decimal = String.raw`\d+(?:\.\d+)?`
const or = (value: string) => `(?:null|${value})`

/**
 * A usual exchange, complete and without escapes, with the values the columns take. Reading it this way costs a tenth of parsing it as JSON,
 * which is what every line goes through that does not look exactly like this.
 */
const usual = new RegExp(
  `^\\{"id":${taken},"at":${whole},"kind":${text},"requestId":${text},` +
    `"who":\\{"id":${or(taken)},"kind":${taken},"name":${or(taken)},"tokenId":${or(text)},"address":${or(text)},"client":${or(text)}\\},` +
    `"action":${taken},"target":${or(taken)},"subject":${or(taken)},` +
    `"decision":${or(`\\{"allowed":(?:true|false),"reason":${text}\\}`)},"outcome":${taken},"error":${or(text)},` +
    `"input":${or(`\\{"bytes":${whole},"sha256":${or(text)}\\}`)},"bytes":\\{"in":${whole},"out":${whole}\\},` +
    `"time":\\{"total":${decimal},"upstream":${decimal}\\},"era":${or(text)},"detail":null\\}$`,
)

/** Values in the order of the table's columns. Undefined when the line is damaged. */
export function rowOf(line: string): Row | undefined {
  const found = usual.exec(line)
  if (found === null) return parsedRow(line)
  const [, id = '', whoId = null, kind = '', name = null, action = '', target = null, subject = null] = found
  return row({ id, whoId, kind, name, target, action, subject, outcome: found[8] ?? '', line })
}

type Values = Readonly<Record<'id' | 'kind' | 'action' | 'outcome' | 'line', string>> &
  Readonly<Record<'whoId' | 'name' | 'target' | 'subject', string | null>>

function row({ id, whoId, kind, name, target, action, subject, outcome, line }: Values): Row {
  return [
    id,
    principalOf({ kind, name }),
    textOrNull(target),
    columnText(action),
    outcome,
    line,
    textOrNull(whoId),
    textOrNull(subject),
  ]
}

const textOrNull = (text: string | null) => (text === null ? null : columnText(text))

/** Looks only for what the table needs, so that an event written by another version still gets through. */
function parsedRow(line: string): Row | undefined {
  const event = parsed(line)
  if (!isObject(event) || !isObject(event.who)) return undefined
  const { id, action, outcome, target = null, subject = null, who } = event
  const { id: whoId = null, kind, name = null } = who
  if (!isText(id) || !isText(action) || !isText(outcome) || !isText(kind)) return undefined
  if (!isTextOrNull(target) || !isTextOrNull(name) || !isTextOrNull(whoId) || !isTextOrNull(subject))
    return undefined
  return row({ id, whoId, kind, name, target, action, subject, outcome, line })
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

const isText = (value: unknown): value is string => typeof value === 'string'
const isTextOrNull = (value: unknown): value is string | null => value === null || isText(value)
