/** The lockfile: written, and compared. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { exitCodes } from './command-error.ts'
import type { Kit, Session, SharedOptions } from './kit.ts'
import { readText } from './read-text.ts'
import { changeLines } from './review-lines.ts'
import { cell } from './table.ts'

const usual = 'gatehouse.lock'

export async function writeLock(
  kit: Kit,
  { api }: Session,
  options: SharedOptions & { readonly lock?: string | true },
): Promise<void> {
  const answer = await api.get('/lock')
  const text = String(answer.lock)
  if (options.lock === '-') return kit.show(options, answer, () => [text.trimEnd()])
  const file = typeof options.lock === 'string' ? options.lock : usual
  try {
    writeFileSync(resolve(kit.workingDirectory, file), text)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    fail('cli.usage', { why: `${file} cannot be written (${code}).`, fix: 'Name another file.', cause })
  }
  kit.show(options, { ...answer, file }, () => [`Wrote ${file}.`])
}

/** Ends with 1 when the lockfile and the gateway differ, for those who check it at each change. */
export async function checkLock(
  kit: Kit,
  { api }: Session,
  file: string,
  options: SharedOptions,
): Promise<void> {
  const answer = await api.post('/lock/check', { lock: readText(kit, file) })
  const differences = Array.isArray(answer.differences) ? answer.differences.filter(isObject) : []
  kit.show(options, answer, () =>
    differences.length === 0
      ? [`${file} says what the gateway does.`]
      : differences.flatMap(each => differenceLines(kit, each)),
  )
  if (differences.length > 0) kit.setExitCode(exitCodes.failed)
}

function differenceLines(kit: Kit, { server, tool, kind, sentence, changes }: JsonObject): string[] {
  const name = tool === undefined ? cell(server) : `${cell(server)} ${cell(tool)}`
  const all = Array.isArray(changes) ? changes.filter(isObject) : []
  return [
    `${cell(kind).padEnd(8)} ${name}: ${cell(sentence)}`,
    ...all.flatMap(change => changeLines(kit, change)),
  ]
}
