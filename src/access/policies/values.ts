/** JSON values as Cedar has them. What it cannot hold is said, never guessed. */
import { isObject } from '../../foundation/json.ts'
import type { CedarType } from './argument-types.ts'
import type { CedarValueJson } from './cedar.ts'

/** Deeper or longer than this, nothing is judged. */
const deepest = 16
const mostValues = 10_000
const mostCharacters = 262_144

/** Words that mean something to Cedar's own JSON. */
const reserved = ['__entity', '__extn', '__expr']
const decimalText = /^-?\d{1,15}\.\d{1,4}$/

/** Why a value cannot be judged. */
export class Unheld extends Error {}

type Budget = { values: number; characters: number }

/** Throws `Unheld`. Undefined for null, which is left out like a value that is not there. */
export function cedarValue(value: unknown, type: CedarType | undefined): CedarValueJson | undefined {
  return convert(value, type, { depth: 0, left: { values: mostValues, characters: mostCharacters } })
}

type At = { readonly depth: number; readonly left: Budget }

function convert(value: unknown, type: CedarType | undefined, at: At): CedarValueJson | undefined {
  const { depth, left } = at
  if (depth > deepest) throw new Unheld(`it is nested deeper than ${deepest} levels`)
  if (--left.values < 0) throw new Unheld(`it has more than ${mostValues} values`)
  const inner = (part: unknown, of: CedarType | undefined) => convert(part, of, { depth: depth + 1, left })
  if (value === null) return undefined
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return number(value, type?.type === 'Decimal')
  if (typeof value === 'string') return text(value, left)
  if (Array.isArray(value)) {
    const element = type?.type === 'Set' ? type.element : undefined
    return value.map(part => inner(part, element)).filter(part => part !== undefined)
  }
  if (!isObject(value)) throw new Unheld('it is no JSON')
  const record: Record<string, CedarValueJson> = {}
  for (const [key, part] of Object.entries(value)) {
    if (reserved.includes(key)) throw new Unheld(`it has the key ${key}`)
    const attribute = type?.type === 'Record' ? type.attributes.get(key) : undefined
    const held = inner(part, attribute)
    if (held !== undefined) record[text(key, left)] = held
  }
  return record
}

function text(value: string, left: Budget): string {
  left.characters -= value.length
  if (left.characters < 0) throw new Unheld(`it has more than ${mostCharacters} characters`)
  if (!value.isWellFormed()) throw new Unheld('it is no Unicode text')
  return value
}

/** Whole numbers are Long, others decimal with at most four places; what the tool declares as `number` is always decimal. */
function number(value: number, isDecimal: boolean): CedarValueJson {
  if (Number.isSafeInteger(value) && !isDecimal) return value === 0 ? 0 : value
  const written = Number.isInteger(value) ? `${value}.0` : String(value)
  if (!decimalText.test(written) || Math.abs(value) > 922_337_203_685_476)
    throw new Unheld(`the number ${value} is no Long and no decimal with four places`)
  return { __extn: { fn: 'decimal', arg: written } }
}
