import { isObject, type JsonObject } from '../foundation/json.ts'
import type { Kit } from './kit.ts'
import { cell } from './table.ts'

const signs = {
  create: { sign: '+', style: 'green' },
  update: { sign: '~', style: 'yellow' },
  delete: { sign: '-', style: 'red' },
} as const

/** A plan as a diff: a line for each thing that changes, and under it what changes of it. */
export function planLines(kit: Kit, plan: readonly JsonObject[], isApplied: boolean): string[] {
  const steps = plan.filter(step => step.action !== 'keep')
  if (steps.length === 0) return ['Nothing to change.']
  const count = steps.length === 1 ? '1 change' : `${steps.length} changes`
  const end = isApplied ? `Applied ${count}.` : `${count} planned; nothing was changed.`
  return [...steps.flatMap(step => [titleOf(kit, step), ...changesOf(step)]), '', end]
}

function titleOf(kit: Kit, { action, kind, name }: JsonObject): string {
  const title = `${cell(kind)} ${cell(name)}`
  if (action !== 'create' && action !== 'update' && action !== 'delete') return `? ${title}`
  const { sign, style } = signs[action]
  return kit.terminal.paint(style, `${sign} ${title}`)
}

function changesOf({ changes }: JsonObject): string[] {
  if (!Array.isArray(changes)) return []
  return changes
    .filter(isObject)
    .map(({ path, from, to }) => `    ${cell(path)}: ${shown(from)} -> ${shown(to)}`)
}

function shown(value: unknown): string {
  return value === undefined ? '(none)' : cell(JSON.stringify(value))
}
