/** Steps "aim" and "clear": which thing of the server is meant, and whether this caller may. Every path to an upstream comes through here. */
import type { Access, Action, Decision, Target } from '../access/index.ts'
import { fail, GatewayError } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import type { Principal } from '../identity/index.ts'
import type { Catalogue, Equipped, Upstream } from '../upstreams/index.ts'
import type { Vault } from '../vault/index.ts'
import type { Exchange } from './exchange.ts'
import type { MethodRow } from './methods.ts'
import type { Owner, Task } from './tasks.ts'

export type ClearParts = { readonly access: Access; readonly catalogue: Catalogue; readonly vault: Vault }

export type Aim = {
  readonly row: MethodRow
  readonly params: JsonObject
  readonly upstream: Upstream
  readonly principal: Principal
  /** The task the request is about. */
  readonly task?: Task | undefined
}

const maxNameLength = 256

/** The name, URI or reference a request is about; of a task, the tool. Throws `mcp.invalid_params`. */
export function subjectOf({ row, params, task }: Pick<Aim, 'row' | 'params' | 'task'>): string | undefined {
  if (row.subject === undefined) return undefined
  if (row.subject === 'task') return task?.tool ?? fail('access.task_unknown')
  const value = row.subject === 'ref' ? referenceOf(params.ref) : params[row.subject]
  if (typeof value !== 'string')
    fail('mcp.invalid_params', { why: `The parameter ${row.subject} is missing or not a string.` })
  if (row.subject === 'name' && value.length > maxNameLength)
    fail('mcp.invalid_params', { why: `A name has at most ${maxNameLength} characters.` })
  return value
}

function referenceOf(ref: unknown): unknown {
  if (!isObject(ref)) return undefined
  return ref.type === 'ref/prompt' ? ref.name : ref.type === 'ref/resource' ? ref.uri : undefined
}

function actionOf(row: MethodRow, params: JsonObject): Action {
  return row.subject === 'ref' && isObject(params.ref) && params.ref.type === 'ref/resource'
    ? 'resource.read'
    : row.action
}

function targetOf(upstream: Upstream, tool?: Target['tool']): Target {
  const target = { group: upstream.group, server: upstream.name, policy: upstream.policy }
  return tool === undefined ? target : { ...target, tool }
}

/** Every refusal looks like absence: the same words whether the thing is missing or merely not for this caller. */
function absent(action: Action, subject: string | undefined): GatewayError {
  const shown = JSON.stringify((subject ?? '').slice(0, 200))
  switch (action) {
    case 'tool.call':
      return new GatewayError('access.tool_unknown', { why: `There is no tool ${shown} here.` })
    case 'prompt.get':
      return new GatewayError('access.prompt_unknown', { why: `There is no prompt ${shown} here.` })
    case 'resource.read':
      return new GatewayError('access.resource_unknown', {
        why: `There is no resource ${shown} here.`,
        data: { uri: subject },
      })
    default:
      return new GatewayError('access.not_found')
  }
}

/** Clears the caller for what the request aims at and equips it for the way upstream. Throws `access.*`. */
export async function clear(parts: ClearParts, exchange: Exchange, aim: Aim): Promise<Equipped> {
  const { row, params, upstream, principal } = aim
  const subject = subjectOf(aim)
  const action = actionOf(row, params)
  exchange.subject = subject ?? null
  const decision =
    action === 'tool.call'
      ? await decideTool(parts, aim, subject ?? '')
      : parts.access.clear(principal, action, targetOf(upstream))
  exchange.decision = decision
  if (decision.allowed) return parts.vault.equip(upstream, principal.id)
  if (!mayUse(parts.access, principal, upstream)) fail('access.not_found')
  throw row.subject === 'task' ? new GatewayError('access.task_unknown') : absent(action, subject)
}

/** A caller of the server who may not list this kind of thing sees an empty list: that it exists at all is not theirs to know. */
export function mustSeeNothing(
  { access }: ClearParts,
  exchange: Exchange,
  { row, principal, upstream }: Aim,
): boolean {
  // A list of what is below one thing is refused like that thing.
  if (row.list === undefined || row.subject !== undefined) return false
  const decision = access.clear(principal, row.action, targetOf(upstream))
  if (decision.allowed || !mayUse(access, principal, upstream)) return false
  exchange.decision = decision
  return true
}

async function decideTool({ access, catalogue }: ClearParts, aim: Aim, name: string): Promise<Decision> {
  const { upstream, principal } = aim
  const decide = (readOnly: boolean) =>
    access.clear(principal, 'tool.call', targetOf(upstream, { name, readOnly }))
  const known = catalogue.tool(upstream.id, name)
  if (known !== undefined) return decide(known.readOnly)
  // Only for a caller who may call whatever it turns out to be is the server asked again.
  const best = decide(true)
  if (!best.allowed) return best
  // Where it depends on the tool, the time to look would tell whether there is one; a server that was never read has nothing to tell.
  const mayWait = decide(false).allowed || catalogue.facts(upstream.id) === undefined
  const found = mayWait ? await catalogue.surprise(upstream, name) : undefined
  // A tool the server does not have is refused here, in the same words as one that is not granted.
  return found === undefined
    ? { allowed: false, reason: 'no such tool in the catalogue' }
    : decide(found.readOnly)
}

/** May the caller use the server at all? If not, it must look as if there were none. */
export function mayUse(access: Access, principal: Principal, upstream: Upstream): boolean {
  return access.clear(principal, 'server.use', targetOf(upstream)).allowed
}

/** May the caller see this item of a list? By the same decision as its use. */
export function mayList(
  access: Access,
  principal: Principal,
  upstream: Upstream,
  item: { name: string; readOnly: boolean },
): boolean {
  return access.clear(principal, 'tool.call', targetOf(upstream, item)).allowed
}

/** May the caller call this tool now, as far as is known of it? */
export function mayCall(
  { access, catalogue }: ClearParts,
  { principal, upstream }: Owner,
  name: string,
): boolean {
  const readOnly = catalogue.tool(upstream.id, name)?.readOnly === true
  return mayList(access, principal, upstream, { name, readOnly })
}

/** May the caller do this with resources or prompts of the server? */
export function mayDo(access: Access, principal: Principal, upstream: Upstream, action: Action): boolean {
  return access.clear(principal, action, targetOf(upstream)).allowed
}

const heard: ReadonlyMap<string, Action> = new Map([
  ['notifications/resources/updated', 'resource.read'],
  ['notifications/resources/list_changed', 'resource.list'],
  ['notifications/prompts/list_changed', 'prompt.list'],
])

/** May the caller hear this notification of the server? By the same decision as asking for what it is about. */
export function mayHear(access: Access, principal: Principal, upstream: Upstream, method: string): boolean {
  const action = heard.get(method)
  return action === undefined || mayDo(access, principal, upstream, action)
}
