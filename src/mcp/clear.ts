/** Steps "aim" and "clear": which thing of the server is meant, and whether this caller may. Every path to an upstream comes through here. */
import type { Access, Action, Circumstances, Decision } from '../access/index.ts'
import { fail, GatewayError } from '../foundation/errors.ts'
import { isObject, type JsonObject, type Patch } from '../foundation/json.ts'
import type { Principal } from '../identity/index.ts'
import {
  type Addressed,
  aimedAt,
  everythingId,
  isComposed,
  judgeCall,
  mayUse,
  missingScopes,
  type Refusal,
  type Served,
  targetOf,
  whyScopes,
} from '../servers/index.ts'
import { type Catalogue, type Equipped, metaKeys, targetTool, type Upstream } from '../upstreams/index.ts'
import type { Equip } from '../vault/index.ts'
import { clearItem } from './clear-item.ts'
import { askerOf, type Exchange } from './exchange.ts'
import type { ListKey, MethodRow } from './methods.ts'
import type { Owner, Task } from './tasks.ts'

export { mayUse }

export type ClearParts = { readonly access: Access; readonly catalogue: Catalogue; readonly vault: Equip }

export type Aim = {
  readonly row: MethodRow
  readonly params: JsonObject
  readonly upstream: Addressed
  readonly principal: Principal
  /** The request as it came. */
  readonly bytes?: Buffer
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

export function actionOf(row: MethodRow, params: JsonObject): Action {
  return row.subject === 'ref' && isObject(params.ref) && params.ref.type === 'ref/resource'
    ? 'resource.read'
    : row.action
}

/** Every refusal looks like absence: the same words whether the thing is missing or merely not for this caller. */
export function absent(action: Action, subject: string | undefined): GatewayError {
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

/** A request that may go to its server, as that server has to get it. */
export type Aimed = {
  readonly equipped: Equipped
  readonly params: JsonObject
  readonly patches: readonly Patch[]
}

/** Clears the caller for what the request aims at and equips it for the way upstream. Throws `access.*`. */
export async function clear(parts: ClearParts, exchange: Exchange, aim: Aim): Promise<Aimed> {
  const { row, params, upstream, principal } = aim
  const subject = subjectOf(aim)
  const action = actionOf(row, params)
  exchange.subject = subject ?? null
  if (isComposed(upstream)) return clearItem(parts, exchange, { ...aim, upstream, action, subject })
  const { decision, refusal } = await judgeCall(parts, upstream, {
    caller: principal,
    asker: askerOf(exchange, principal),
    action,
    subject,
    arguments: isObject(params.arguments) ? params.arguments : {},
    // A task was decided with its arguments when it was made; a request about it brings none.
    circumstances: row.subject === 'task' ? undefined : circumstancesOf(exchange, params),
  })
  exchange.decision = shown(decision)
  if (refusal !== undefined) throw refusalOf(refusal, { row, action, subject })
  return { equipped: await equip(parts, exchange, { upstream, principal }), params, patches: [] }
}

/** Whoever is equipped here was cleared for what they ask of this server. */
export async function equip(
  { vault }: ClearParts,
  exchange: Exchange,
  { upstream, principal }: { readonly upstream: Upstream; readonly principal: Principal },
): Promise<Equipped> {
  const own = exchange.own?.get(upstream.id)
  const asker = askerOf(exchange, principal)
  if (own === undefined) return vault.equip(upstream, asker)
  exchange.clientHeaders = own.names
  return vault.equip(upstream, asker, own)
}

type Refused = { readonly row: MethodRow; readonly action: Action; readonly subject: string | undefined }

/** Throws `access.scope_missing` where the token of an OAuth client is not for this server at all. */
export function checkScope(principal: Principal, served: Served): void {
  if (served.id === everythingId) return
  const scopes = missingScopes(principal, 'server.use', targetOf(served))
  if (scopes !== undefined) fail('access.scope_missing', { why: whyScopes(scopes), data: { scopes } })
}

/** A refusal as its caller is told of it. */
export function refusalOf(refusal: Refusal, { row, action, subject }: Refused): GatewayError {
  if (refusal.code === 'access.scope_missing')
    return new GatewayError(refusal.code, { why: refusal.why, data: { scopes: refusal.scopes } })
  if (refusal.code !== 'absent')
    return new GatewayError(refusal.code, refusal.why === undefined ? {} : { why: refusal.why })
  return row.subject === 'task' ? new GatewayError('access.task_unknown') : absent(action, subject)
}

/** A caller of the server who may not list this kind of thing sees an empty list: that it exists at all is not theirs to know. */
export function mustSeeNothing(
  { access }: ClearParts,
  exchange: Exchange,
  { row, principal, upstream }: Aim,
): boolean {
  // A list of what is below one thing is refused like that thing.
  if (row.list === undefined || row.subject !== undefined || isComposed(upstream)) return false
  const decision = access.clear(principal, row.action, targetOf(upstream))
  if (decision.allowed || !mayUse(access, principal, upstream)) return false
  exchange.decision = decision
  return true
}

/** What policies with conditions may ask about a request. */
export function circumstancesOf(exchange: Exchange, params: JsonObject): (sent: JsonObject) => Circumstances {
  return sent => {
    const { request, at, over, era } = exchange
    const declared = isObject(params._meta) ? params._meta[metaKeys.version] : undefined
    const protocol = declared ?? request.headers['mcp-protocol-version']
    return {
      arguments: sent,
      at,
      address: over === 'local' ? null : (request.socket.remoteAddress ?? null),
      protocol: typeof protocol === 'string' ? protocol : null,
      era,
    }
  }
}

export function shown({ allowed, reason, policies, shadow }: Decision): NonNullable<Exchange['decision']> {
  return {
    allowed,
    reason,
    ...(policies === undefined ? {} : { policies }),
    ...(shadow === undefined ? {} : { shadow }),
  }
}

/** May the caller see this tool in a list, and call it? */
export function mayList(
  { access, catalogue }: Pick<ClearParts, 'access' | 'catalogue'>,
  { principal, upstream }: Owner,
  name: string,
): boolean {
  const facts = catalogue.tool(upstream.id, name)
  const target = targetOf(upstream, targetTool(upstream, name, facts))
  return facts?.held === undefined && access.clear(principal, 'tool.call', target).allowed
}

/** What an item of a list is used by: the action, and the member that names it. */
const listed: Readonly<Partial<Record<ListKey, readonly [Action, string]>>> = {
  resources: ['resource.read', 'uri'],
  resourceTemplates: ['resource.read', 'uriTemplate'],
  prompts: ['prompt.get', 'name'],
  skills: ['resource.read', 'uri'],
}

/** May the caller see this resource, template, prompt or skill in a list, and use it? */
export function mayShow(
  access: Access,
  { principal, upstream }: Owner,
  key: ListKey,
  item: JsonObject,
): boolean {
  const [action, member] = listed[key] ?? []
  const subject = member === undefined ? undefined : item[member]
  if (action === undefined || typeof subject !== 'string') return true
  return access.clear(principal, action, aimedAt(upstream, action, subject)).allowed
}

/** May the caller do this with resources or prompts of the server? */
export function mayDo(access: Access, principal: Principal, upstream: Served, action: Action): boolean {
  if (upstream.id === everythingId) return true
  return access.clear(principal, action, targetOf(upstream)).allowed
}

const heard: ReadonlyMap<string, Action> = new Map([
  ['notifications/resources/updated', 'resource.read'],
  ['notifications/resources/list_changed', 'resource.list'],
  ['notifications/prompts/list_changed', 'prompt.list'],
])

/** May the caller hear this notification of the server? By the same decision as asking for what it is about. */
export function mayHear(access: Access, principal: Principal, upstream: Served, method: string): boolean {
  const action = heard.get(method)
  return action === undefined || mayDo(access, principal, upstream, action)
}
