/** The command line's dress of an error. */
import { asGatewayError, type ErrorCode, errorTable } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { plain } from './table.ts'
import type { Terminal } from './terminal.ts'

/** Contract of every command: what its end says to scripts. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, notAuthorised: 3, unreachable: 4 } as const

/** An error as a gateway told it, maybe with a code of a version that this command does not know. */
export class ToldError extends Error {
  readonly problem: JsonObject

  constructor(problem: JsonObject) {
    super(String(problem.title))
    this.name = 'ToldError'
    this.problem = problem
  }
}

/** The members a person reads of anything thrown: an error of ours, or one a gateway told us. */
export function faceFrom(thrown: unknown): JsonObject {
  if (thrown instanceof ToldError) return thrown.problem
  const error = asGatewayError(thrown)
  return { code: error.code, title: error.message, why: error.why, fix: error.fix, ...error.data }
}

export function exitCodeOf(face: JsonObject): number {
  const code = String(face.code)
  if (code === 'cli.unreachable') return exitCodes.unreachable
  if (code === 'cli.usage' || code === 'config.invalid') return exitCodes.usage
  const status = code in errorTable ? errorTable[code as ErrorCode].status : face.status
  return status === 401 || status === 403 ? exitCodes.notAuthorised : exitCodes.failed
}

/** Prints an error: the sentence, why, and the fix; or the whole of it as JSON. */
export function printError(terminal: Terminal, face: JsonObject, asJson: boolean): void {
  if (asJson) {
    terminal.note(JSON.stringify({ error: face }))
    return
  }
  terminal.note(plain(String(face.title)))
  if (face.code === 'manifest.invalid' && Array.isArray(face.problems)) {
    for (const problem of face.problems) printProblem(terminal, problem)
  } else if (face.why !== face.title) printPart(terminal, 'why', face.why)
  printPart(terminal, 'fix', face.fix)
  if (face.requestId !== undefined) printPart(terminal, 'request', face.requestId)
}

function printPart(terminal: Terminal, name: string, value: unknown): void {
  const [first = '', ...more] = plain(String(value)).split('\n')
  terminal.note(`  ${`${name}:`.padEnd(8)} ${first}`)
  for (const line of more) terminal.note(`           ${line}`)
}

/** One problem of a manifest, with the line to go to. */
function printProblem(terminal: Terminal, problem: unknown): void {
  if (!isObject(problem)) return
  const { line, path, why, fix } = problem
  const where = [typeof line === 'number' ? `line ${line}` : '', path].filter(Boolean).join(', ')
  terminal.note(plain(`  - ${where}: ${String(why)}`))
  terminal.note(plain(`    fix: ${String(fix)}`))
}
