import { isObject, type JsonObject } from '../foundation/json.ts'
import type { Kit } from './kit.ts'
import { cell } from './table.ts'

/** The steps of a probe with their times; those that failed with why and fix. */
export function probeLines(kit: Kit, probe: JsonObject): string[] {
  const steps = Array.isArray(probe.steps) ? probe.steps.filter(isObject) : []
  return steps.flatMap(step => stepLines(kit, step))
}

function stepLines(kit: Kit, step: JsonObject): string[] {
  const isWell = step.ok === true
  const sign = isWell ? kit.terminal.paint('green', 'ok  ') : kit.terminal.paint('red', 'fail')
  const time = typeof step.milliseconds === 'number' ? `${Math.round(step.milliseconds)} ms` : ''
  const line =
    `${sign}  ${cell(step.name).padEnd(10)} ${time.padStart(8)}  ${cell(step.found ?? '')}`.trimEnd()
  if (isWell) return [line]
  return [line, `      why: ${cell(step.why)}`, `      fix: ${cell(step.fix)}`]
}
