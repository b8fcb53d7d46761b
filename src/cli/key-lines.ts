/** Keys as people read them. */
import { isObject, type JsonObject } from '../foundation/json.ts'
import { cell, table } from './table.ts'

export function keyLines(answer: JsonObject): string[] {
  const { master, target, locked, problem, rotation } = answer
  const lines = isObject(master) ? [`master key ${cell(master.id)} in ${cell(master.file)}`, ''] : []
  lines.push(
    ...table(objects(answer.items), [
      ['key', item => item.id],
      ['state', item => item.state],
      ['secrets', item => item.values],
      ['under', item => item.named ?? `${cell(item.provider)}, which vault.keys has no more`],
    ]),
  )
  lines.push('', `The next key will be wrapped by: ${cell(target)}`)
  if (typeof locked === 'string') lines.push(`Nothing stored can be opened: ${locked}`)
  else if (typeof problem === 'string') lines.push(`Last problem: ${problem}`)
  if (isObject(rotation) && rotation.state !== 'done')
    lines.push(
      `Rotation ${cell(rotation.state)}: ${cell(rotation.moved)} of ${cell(rotation.total)} moved. ${cell(rotation.problem ?? '')}`.trimEnd(),
    )
  return lines
}

export function verifiedLines({ opened, unopenedCount, unopened, strays }: JsonObject): string[] {
  const counts = Object.entries(isObject(opened) ? opened : {})
  const lines = counts.map(([id, values]) => `${cell(values)} secrets open under the key ${id}.`)
  if (lines.length === 0) lines.push('No secrets are stored.')
  lines.push(unopenedCount === 0 ? 'None fails to open.' : `${cell(unopenedCount)} do not open:`)
  const places: readonly unknown[] = Array.isArray(strays) ? strays : []
  return [
    ...lines,
    ...unopenedLines(unopened),
    ...places.map(place => `Sealed values are where none should be: ${cell(place)}`),
  ]
}

export function unopenedLines(unopened: unknown): string[] {
  return objects(unopened).map(({ where, record, why }) => `  ${cell(where)} ${cell(record)}: ${cell(why)}`)
}

function objects(value: unknown): JsonObject[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : []
  return items.filter(isObject)
}
