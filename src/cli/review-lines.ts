/** The tools of a server as a manager reads them: what needs a look first, each change under its tool. */
import { isObject, type JsonObject } from '../foundation/json.ts'
import { visibly } from '../foundation/visible.ts'
import type { Kit } from './kit.ts'
import { cell, plain } from './table.ts'

type Review = {
  readonly name: string
  readonly items: readonly JsonObject[]
  readonly why: string | undefined
  readonly isAll: boolean
}

export function reviewLines(kit: Kit, { name, items, why, isAll }: Review): string[] {
  if (items.length === 0) return [why ?? `${name} has no tools.`]
  const held = items.filter(({ state }) => state !== 'approved')
  const approved = items.filter(({ state }) => state === 'approved')
  const shown = approved.filter(item => isAll || objects(item.findings).length > 0)
  const summary = `${name}: ${held.length} held, ${approved.length} approved.`
  const end =
    held.length === 0 ? [] : ['', `Approve them with: gatehouse tools approve ${name} <tool...>|--all.`]
  return [summary, ...[...held, ...shown].flatMap(item => ['', ...toolLines(kit, item)]), ...end]
}

function toolLines(kit: Kit, item: JsonObject): string[] {
  const { state, name, hash, why, heldBy, approved, isOffered, changes, findings } = item
  const style = state === 'approved' ? 'green' : 'yellow'
  const mark = typeof hash === 'string' ? `@${hash.slice(0, 12)}` : ''
  const gone = isOffered === false ? ' (its server does not have it now)' : ''
  const by = isObject(approved) ? [`  approved by ${cell(approved.by)}, ${timeOf(approved.at)}`] : []
  const held = why === undefined ? [] : [`  ${cell(why)}${heldBy === undefined ? '' : ` (${cell(heldBy)})`}`]
  return [
    `${kit.terminal.paint(style, String(state).padEnd(8))} ${cell(name)}${mark}${gone}`,
    ...held,
    ...by,
    ...claimLine(item),
    ...objects(findings).map(finding => findingLine(kit, finding)),
    ...objects(changes).flatMap(change => changeLines(kit, change)),
  ]
}

const claimWords = {
  readOnly: ['writes', 'only reads'],
  destructive: ['destroys nothing', 'may destroy'],
  idempotent: ['twice is more than once', 'twice is as good as once'],
  openWorld: ['reaches nothing outside', 'reaches outside'],
} as const

function claimLine({ claims, counts }: JsonObject): string[] {
  const said = isObject(claims) ? claims : {}
  const claimed = Object.entries(claimWords).flatMap(([key, [no, yes]]) =>
    typeof said[key] === 'boolean' ? [said[key] ? yes : no] : [],
  )
  const counted = isObject(counts) ? counts : {}
  const held = [
    ...(counted.readOnly === true ? ['read-only'] : []),
    ...(counted.idempotent === true ? ['idempotent'] : []),
  ]
  const parts = [
    ...(claimed.length > 0 ? [`claims: ${claimed.join(', ')}`] : []),
    ...(held.length > 0 ? [`counts as ${held.join(' and ')}`] : []),
  ]
  return parts.length === 0 ? [] : [`  ${parts.join('; ')}`]
}

function findingLine(kit: Kit, { severity, where, sentence }: JsonObject): string {
  const text = `  ! ${cell(where)}: ${shown(sentence)}`
  return severity === 'high' ? kit.terminal.paint('red', text) : text
}

/** One change of a definition, with what was and what is. */
export function changeLines(kit: Kit, { sentence, from, to, additive }: JsonObject): string[] {
  const title = `  ${additive === true ? '+' : '~'} ${shown(sentence)}`
  return [
    kit.terminal.paint(additive === true ? 'green' : 'yellow', title),
    ...(from === undefined ? [] : [`      was ${value(from)}`]),
    ...(to === undefined ? [] : [`      is  ${value(to)}`]),
  ]
}

export function approvedLines(
  name: string,
  { tools, left }: { tools: readonly JsonObject[]; left: readonly string[] },
): string[] {
  return [
    ...tools.flatMap(({ name: tool, changes }) => [
      `${cell(tool)} of ${name} is approved.`,
      ...objects(changes).map(({ sentence }) => `  ${shown(sentence)}`),
    ]),
    ...left.map(
      tool =>
        `${tool} of ${name} is still held: it is not what it looks like. Look at it, then name it with --despite-findings.`,
    ),
    ...(tools.length + left.length === 0 ? [`No tool of ${name} is held.`] : []),
  ]
}

export function objects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

/** What a server wrote must neither hide anything nor move the cursor. */
function shown(value: unknown): string {
  return plain(visibly(String(value)))
}

const longest = 600

function value(value: unknown): string {
  const text = shown(JSON.stringify(value))
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text
}

export function timeOf(at: unknown): string {
  return typeof at === 'number' ? new Date(at).toISOString().slice(0, 16).replace('T', ' ') : '-'
}
