/** What clients carry for upstreams, on its way back: opened, checked, and put in the place of the handle. */
import { hash } from 'node:crypto'
import { fail, GatewayError } from '../foundation/errors.ts'
import type { Handles } from '../foundation/handles.ts'
import { canonical, isObject, type JsonObject, type Patch, spanAt } from '../foundation/json.ts'
import type { MethodRow } from './methods.ts'
import { declares, tasksExtension } from './relayed.ts'
import { boundTo, type Owner, type Task, type Tasks } from './tasks.ts'
import { metaKeys } from './versions.ts'

export type UnsealParts = { readonly handles: Handles; readonly tasks: Tasks }

export type Asked = { readonly row: MethodRow; readonly method: string; readonly params: JsonObject }

export type Unsealed = {
  /** The parameters with the upstream's own texts. */
  readonly params: JsonObject
  /** What makes the same of the bytes. */
  readonly patches: readonly Patch[]
  /** The task the request is about. */
  readonly task?: Task | undefined
}

type Sealed = Owner & { readonly bytes: Buffer; readonly exchange: { readonly era: string | null } }

const none: readonly Patch[] = []

/** Opens what the request carries. Throws `mcp.invalid_params` and `access.task_unknown` for what was not given to this caller for this. */
export function unseal(parts: UnsealParts, visit: Sealed, asked: Asked): Unsealed {
  const { row, params } = asked
  const opened: Record<string, string> = {}
  const task = row.subject === 'task' ? parts.tasks.find(visit, params.taskId) : undefined
  if (task !== undefined) opened.taskId = task.id
  if (row.list !== undefined && typeof params.cursor === 'string')
    opened.cursor = openCursor(parts.handles, visit, { method: asked.method, cursor: params.cursor })
  if (params.requestState !== undefined && visit.exchange.era === 'stateless')
    opened.requestState = openState(parts.handles, visit, asked)
  const isRelated =
    visit.exchange.era === 'session' &&
    isObject(params._meta) &&
    params._meta[metaKeys.relatedTask] !== undefined
  const related = isRelated ? relatedPatches(parts.tasks, visit, 'params') : none
  const keys = Object.keys(opened)
  if (keys.length === 0) return { params, patches: related }
  const patches = keys.flatMap(key => patchOf(visit.bytes, ['params', key], String(opened[key])))
  return { params: { ...params, ...opened }, patches: [...patches, ...related], task }
}

function patchOf(bytes: Buffer, path: readonly string[], text: string): Patch[] {
  const span = spanAt(bytes, path)
  return span === undefined ? [] : [{ span, text: JSON.stringify(text) }]
}

function openCursor(
  handles: Handles,
  owner: Owner,
  { method, cursor }: { method: string; cursor: string },
): string {
  const found = handles.open('cursor', [...boundTo(owner), method], cursor)?.cursor
  return typeof found === 'string'
    ? found
    : fail('mcp.invalid_params', {
        why: 'The cursor is not one that this list gave to you, or it has expired.',
        fix: 'List again from the beginning.',
      })
}

function openState(handles: Handles, owner: Owner, { method, params }: Asked): string {
  const fix = 'Send the request again without requestState.'
  const { requestState } = params
  const found = typeof requestState === 'string' && handles.open('state', boundTo(owner), requestState)
  if (!found || typeof found.upstream !== 'string')
    fail('mcp.invalid_params', {
      why: 'The requestState is not one that was given to you, or it has expired.',
      fix,
    })
  if (found.request !== digestOf(method, params))
    fail('mcp.invalid_params', {
      why: 'The requestState was given for another method or other parameters.',
      fix,
    })
  return found.upstream
}

/** What a request asks for, whatever its round: its method and parameters without what differs between rounds. */
export function digestOf(method: string, params: JsonObject): string {
  const { _meta, inputResponses, requestState, ...same } = params
  return hash('sha256', canonical({ method, params: same }), 'base64url')
}

/** The task that a message of the client says it belongs to, in the upstream's words (MCP 2025-11-25, basic/utilities/tasks). */
export function relatedPatches(tasks: Tasks, visit: Sealed, part: 'params' | 'result'): readonly Patch[] {
  const named = [part, '_meta', metaKeys.relatedTask, 'taskId']
  const span = spanAt(visit.bytes, named)
  if (span === undefined) return none
  const name: unknown = JSON.parse(visit.bytes.toString('utf8', span.start, span.end))
  return patchOf(visit.bytes, named, tasks.find(visit, name).id)
}

/** Refuses a request of an extension its client does not say it knows (SEP-2663, "Supported Methods"; MCP 2026-07-28, basic/index). */
export function checkDeclared(params: JsonObject, extension: string = tasksExtension): void {
  const meta = isObject(params._meta) ? params._meta : {}
  if (declares(meta[metaKeys.capabilities], extension)) return
  throw new GatewayError('mcp.capability_required', {
    why: `The request does not declare the extension ${extension}.`,
    data: { requiredCapabilities: { extensions: { [extension]: {} } } },
  })
}
