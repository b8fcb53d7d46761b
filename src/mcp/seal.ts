/** What upstreams give clients to carry: sealed on its way out, so that it comes back unchanged, from the same caller, for the same request. */
import { GatewayError } from '../foundation/errors.ts'
import type { Handles } from '../foundation/handles.ts'
import { elements, isObject, type JsonObject, type Patch, spanAt } from '../foundation/json.ts'
import type { ResultEdits } from '../upstreams/index.ts'
import type { Exchange } from './exchange.ts'
import type { MethodRow } from './methods.ts'
import { declares, tasksExtension } from './relayed.ts'
import { boundTo, type Owner, type Task, type Tasks } from './tasks.ts'
import { digestOf } from './unseal.ts'
import { metaKeys } from './versions.ts'

export type SealParts = { readonly handles: Handles; readonly tasks: Tasks }

/** The request whose answer it is. */
export type Answered = Owner & {
  readonly exchange: Exchange
  readonly row: MethodRow
  readonly method: string
  /** With the upstream's own texts. */
  readonly params: JsonObject
  readonly task?: Task | undefined
}

type Replace = NonNullable<ResultEdits['replace']>[string]

/** How long a client may take to come back with it. */
const cursorSeconds = 86_400
const stateSeconds = 86_400
/** As in answers that pass in pieces. */
const longestState = 65_536

function badAnswer(why: string): GatewayError {
  return new GatewayError('upstream.bad_answer', { why })
}

export function sealCursor({ handles }: SealParts, asked: Answered, cursor: string): string {
  return handles.seal('cursor', [...boundTo(asked), asked.method], { cursor }, cursorSeconds)
}

function sealState({ handles }: SealParts, asked: Answered, upstream: string): string {
  if (upstream.length > longestState)
    throw badAnswer('Its requestState is too long to come back in a request.')
  const request = digestOf(asked.method, asked.params)
  return handles.seal('state', boundTo(asked), { upstream, request }, stateSeconds)
}

/** Is this the call of a tool that its client wants to be a task (MCP 2025-11-25, basic/utilities/tasks)? */
export function wantsTask({ exchange, method, params }: Answered): boolean {
  return exchange.era === 'session' && method === 'tools/call' && params.task !== undefined
}

/** The name of the task in an answer: the one that was asked for, or a new one of the tool that was called. */
function nameTask({ tasks }: SealParts, asked: Answered, id: string): string {
  if (asked.task !== undefined && asked.task.id !== id)
    throw badAnswer('It answered with a task that was not asked for.')
  return tasks.name(asked, asked.task ?? { id, tool: String(asked.params.name) })
}

/** Members at the top of a result that is not held, by what becomes of their text. */
export function sealedMembers(parts: SealParts, asked: Answered): ResultEdits['replace'] {
  if (asked.task !== undefined) return { taskId: id => nameTask(parts, asked, id) }
  if (asked.exchange.era !== 'stateless' || asked.row.asks !== true) return undefined
  // What stands in a complete result under these names is the server's own affair.
  const requestState: Replace = (state, type) =>
    type === 'complete' ? state : sealState(parts, asked, state)
  const taskId: Replace = (id, type) => (type === 'complete' ? id : nameTask(parts, asked, id))
  return asked.method === 'tools/call' ? { requestState, taskId } : { requestState }
}

/** The changes to a whole result. Throws `upstream.bad_answer` where this is not an answer to the request. */
export function sealPatches(parts: SealParts, asked: Answered, bytes: Buffer, result: JsonObject): Patch[] {
  const name = (id: string) => nameTask(parts, asked, id)
  if (asked.exchange.era === 'stateless') {
    if (asked.row.asks !== true) checkIsComplete(asked, result)
    if (result.resultType === 'input_required')
      return renamed(bytes, ['result', 'requestState'], state => sealState(parts, asked, state))
    if (result.resultType === 'task') {
      checkMayBeTask(asked)
      return renamed(bytes, ['result', 'taskId'], name)
    }
  }
  if (wantsTask(asked)) return renamed(bytes, ['result', 'task', 'taskId'], name)
  if (asked.task === undefined) return []
  const related = ['result', '_meta', metaKeys.relatedTask, 'taskId']
  return [...renamed(bytes, ['result', 'taskId'], name), ...renamed(bytes, related, name)]
}

/** Refuses an answer that is none yet, from a method that has no other (MCP 2026-07-28, basic/patterns/mrtr). */
export function checkIsComplete({ exchange, method }: Answered, { resultType }: JsonObject): void {
  if (exchange.era === 'stateless' && (resultType === 'input_required' || resultType === 'task'))
    throw badAnswer(`It answered ${method} with a result of type ${resultType}.`)
}

function checkMayBeTask({ method, params }: Answered): void {
  const meta = isObject(params._meta) ? params._meta : {}
  if (method !== 'tools/call') throw badAnswer(`It answered ${method} with a task.`)
  if (!declares(meta[metaKeys.capabilities], tasksExtension))
    throw badAnswer('It answered with a task to a client that does not take any.')
}

function renamed(bytes: Buffer, path: readonly string[], rename: (text: string) => string): Patch[] {
  const span = spanAt(bytes, path)
  if (span === undefined) return []
  const value: unknown = JSON.parse(bytes.toString('utf8', span.start, span.end))
  if (typeof value !== 'string') throw badAnswer(`Its answer has a ${path.at(-1)} that is not a string.`)
  return [{ span, text: JSON.stringify(rename(value)) }]
}

/** The names of the tasks in a list that has only such as have one. */
export function listedTaskPatches({ tasks }: SealParts, owner: Owner, bytes: Buffer): Patch[] {
  const list = spanAt(bytes, ['result', 'tasks'])
  if (list === undefined) return []
  return [...elements(bytes, list.start)].flatMap(({ start, end }) => {
    const id = spanAt(bytes.subarray(0, end), ['taskId'], start)
    if (id === undefined) return []
    const name = tasks.heard(owner, JSON.parse(bytes.toString('utf8', id.start, id.end)))
    return name === undefined ? [] : [{ span: id, text: JSON.stringify(name) }]
  })
}
