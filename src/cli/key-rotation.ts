/** Watching secrets move from one key to the next. */
import { setTimeout as sleep } from 'node:timers/promises'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { exitCodes } from './command-error.ts'
import { unopenedLines } from './key-lines.ts'
import type { Kit, Session, SharedOptions } from './kit.ts'

const everyMilliseconds = 200
/** A provider that is away for a moment does not end the command. */
const patienceMilliseconds = 30_000

export async function followRotation(kit: Kit, options: SharedOptions, { api }: Session): Promise<void> {
  let answer = await api.post('/vault/keys/rotate', {})
  let told = ''
  let stuckSince: number | undefined
  for (;;) {
    const { state, moved, total, problem } = rotationOf(answer)
    const line = `${String(moved)} of ${String(total)} secrets moved`
    if (line !== told && state === 'running') kit.terminal.note(line)
    told = line
    if (state === 'done') break
    stuckSince = state === 'stuck' ? (stuckSince ?? performance.now()) : undefined
    const isOver = hasUnopened(answer) || performance.now() - (stuckSince ?? Infinity) > patienceMilliseconds
    if (stuckSince !== undefined && isOver) return stuck(kit, options, { answer, problem: String(problem) })
    await sleep(everyMilliseconds)
    answer = await api.get('/vault/keys')
  }
  const { moved } = rotationOf(answer)
  kit.show(options, answer, () => [
    `${String(moved)} secrets are under the new key ${activeOf(answer)}. The old one opens nothing any more and can be removed.`,
  ])
}

function stuck(
  kit: Kit,
  options: SharedOptions,
  { answer, problem }: { answer: JsonObject; problem: string },
): void {
  kit.setExitCode(exitCodes.failed)
  kit.show(options, answer, () => [
    `The old key is still needed. ${problem}`,
    ...unopenedLines(rotationOf(answer).unopened),
    'Set again what does not open, or remove it; then: gatehouse keys rotate',
  ])
}

function rotationOf({ rotation }: JsonObject): JsonObject {
  return isObject(rotation) ? rotation : fail('cli.bad_answer', { why: 'It tells of no rotation.' })
}

function hasUnopened(answer: JsonObject): boolean {
  const { unopened } = rotationOf(answer)
  return Array.isArray(unopened) && unopened.length > 0
}

function activeOf({ items }: JsonObject): string {
  const rows: readonly unknown[] = Array.isArray(items) ? items : []
  const active = rows.filter(isObject).find(({ state }) => state === 'active')
  return `${String(active?.id)} of ${String(active?.named)}`
}
