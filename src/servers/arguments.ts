/** The arguments of a call as the author of a virtual server has them: some set, some checked, the others as the caller wrote them. */
import { canonical, type JsonObject, type Patch, spanAt } from '../foundation/json.ts'
import { memberEdits } from '../foundation/json-edit.ts'
import type { ArgumentRule, ArgumentRules } from './definition.ts'
import { isHidden } from './reshape.ts'

export type Arranged = { readonly arguments: JsonObject; readonly set: Readonly<Record<string, unknown>> }

/** The arguments that go to the server, or a sentence for the model that says what is wrong with those it sent. */
export function arrange(rules: ArgumentRules, given: JsonObject): Arranged | string {
  const set: Record<string, unknown> = {}
  for (const [name, rule] of Object.entries(rules)) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    const wrong = value === undefined ? undefined : wrongWith(name, value, rule)
    if (wrong !== undefined) return wrong
    if (rule.value !== undefined) set[name] = rule.value
    else if (value === undefined && rule.default !== undefined) set[name] = rule.default
  }
  return { arguments: { ...given, ...set }, set }
}

function wrongWith(name: string, value: unknown, rule: ArgumentRule): string | undefined {
  const shown = JSON.stringify(name)
  if (isHidden(rule)) return `This tool takes no argument ${shown}; leave it out.`
  const allowed = rule.value === undefined ? rule.enum : [rule.value]
  if (allowed !== undefined && !allowed.some(each => canonical(each) === canonical(value)))
    return `The argument ${shown} must be one of: ${allowed.map(each => JSON.stringify(each)).join(', ')}.`
  if (rule.minimum === undefined && rule.maximum === undefined) return undefined
  if (typeof value !== 'number') return `The argument ${shown} must be a number.`
  if (rule.minimum !== undefined && value < rule.minimum)
    return `The argument ${shown} must be at least ${rule.minimum}.`
  if (rule.maximum !== undefined && value > rule.maximum)
    return `The argument ${shown} must be at most ${rule.maximum}.`
  return undefined
}

const openBrace = 0x7b

/** Makes the arguments in the bytes of a call what was arranged; what is not set stays byte for byte. */
export function arrangePatches(bytes: Buffer, { set }: Arranged): Patch[] {
  const names = Object.keys(set)
  if (names.length === 0) return []
  const add = Object.fromEntries(names.map(name => [name, JSON.stringify(set[name])]))
  const span = spanAt(bytes, ['params', 'arguments'])
  if (span !== undefined && bytes[span.start] === openBrace)
    return memberEdits(bytes, span.start, { drop: new Set(names), add })
  const params = spanAt(bytes, ['params'])
  if (params === undefined) return []
  return memberEdits(bytes, params.start, {
    drop: new Set(['arguments']),
    add: { arguments: JSON.stringify(set) },
  })
}
