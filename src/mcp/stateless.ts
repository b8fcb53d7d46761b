/** The stateless era: every request stands alone, and a closed response is a cancellation. */
import type { IncomingHttpHeaders } from 'node:http'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject, type Patch, spanAt } from '../foundation/json.ts'
import type { Principal } from '../identity/index.ts'
import { type Addressed, isComposed } from '../servers/index.ts'
import {
  type Connections,
  type Crossings,
  type Equipped,
  mirroredHeaders as mirroredAnew,
  type Upstream,
} from '../upstreams/index.ts'
import type { Equip, Vault } from '../vault/index.ts'
import { answerNothing } from './answer-ok.ts'
import { checkMirrored, checkMirroredArguments, encodeMirrored, type Incoming } from './classify.ts'
import { type Aim, type Aimed, clear, mayDo, mustSeeNothing } from './clear.ts'
import { answerBefore, answerComposed, type Composed } from './composed-answers.ts'
import { listenComposed } from './composed-listen.ts'
import { backFromConnecting, isConnectNeeded } from './connect-first.ts'
import { askerOf, type Exchange } from './exchange.ts'
import { type ForwardParts, prepare, send } from './forward.ts'
import type { NewsParts } from './list-news.ts'
import { meantBy } from './meta-calls.ts'
import { type MethodRow, methods } from './methods.ts'
import { isOptional } from './relayed.ts'
import type { Streams } from './streams.ts'
import type { Task } from './tasks.ts'
import type { ToolListParts } from './tool-list.ts'
import { checkDeclared, unseal } from './unseal.ts'

export type StatelessParts = ToolListParts &
  ForwardParts &
  NewsParts & {
    readonly connections: Connections
    readonly crossings: Crossings
    readonly streams: Streams
    readonly vault: Equip & Pick<Vault, 'whenConnected'>
    readonly callSeconds: number
    readonly callSecondsMax: number
  }

type StatelessRequest = Extract<Incoming, { kind: 'request' }>

export type Visit = {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly upstream: Addressed
  readonly bytes: Buffer
}

/** Leads one request of the stateless era through the rooms. */
export async function serveStateless(
  parts: StatelessParts,
  visit: Visit,
  incoming: StatelessRequest,
): Promise<void> {
  const { exchange, principal, upstream } = visit
  const { method } = incoming
  const row = methods.get(method)
  if (row === undefined || row.eras === 'session') {
    // Headers first, so that a lie about the method is a lie and not an unknown method.
    checkMirrored(exchange.request.headers, method, undefined)
    unknownMethod(method)
  }
  checkMirrored(exchange.request.headers, method, mirroredName(row, incoming.params))
  if (row.subject === 'task') checkDeclared(incoming.params)
  const asked = { bytes: visit.bytes, params: incoming.params }
  const meant = meantBy(parts, visit, method, asked)
  if (meant === undefined) return
  const isBack = meant.params.requestState !== undefined
  const now = isBack ? await backFromConnecting(parts, visit, { row, method, ...meant }) : meant
  const { bytes } = now
  exchange.asked = { row, method, params: now.params }
  const { params, patches, task } = unseal(parts, { ...visit, bytes }, exchange.asked)
  const aim = { row, params, upstream, principal, task, bytes }
  if (isComposed(upstream) && (await servedHere(parts, { ...visit, upstream }, { row, method, params })))
    return
  if (row.list !== undefined && mustSeeNothing(parts, exchange, aim)) return answerNothing(exchange, row.list)
  const aimedAt = await clearOrShow(parts, visit, aim)
  if (aimedAt === undefined) return
  const { equipped, params: sent, patches: aimed } = aimedAt
  const source = equipped.upstream
  // Nobody mirrors the arguments of a call within a call.
  if (method === 'tools/call' && meant === asked) checkArguments(parts, visit, { sent, params, source })
  const { link, isCrossed } = await wayTo(parts, visit, { equipped, method })
  if (exchange.outlet.isGone) return exchange.record('cancelled', null, () => undefined)
  if (row.shape === 'listen') parts.streams.reserve(exchange)
  const listen = row.shape === 'listen' ? allowedListen(parts, visit, params) : undefined
  const cleared = { exchange, principal, upstream, source, row, method, params, sent, bytes, task, isCrossed }
  const { outgoing, reply } = prepare(
    parts,
    { ...cleared, patches: listen?.patches ?? [...patches, ...aimed] },
    {
      mirrored: isComposed(upstream)
        ? mirroredAnew(method, sent, parts.catalogue.mirroredArguments(source.id, String(sent.name)))
        : mirroredHeaders(exchange.request.headers, task?.id),
      equipped,
      taskName: listen === undefined ? noTask : taskNames(parts, visit, listen.tasks),
      ended: () => parts.streams.remove(reply),
    },
  )
  parts.streams.add(reply)
  send(link, outgoing, reply)
}

/** Undefined where the caller has no account at the server, and saw what it offers all the same. */
async function clearOrShow(parts: StatelessParts, visit: Visit, aim: Aim): Promise<Aimed | undefined> {
  const { exchange, upstream } = visit
  try {
    return await clear(parts, exchange, aim)
  } catch (error) {
    if (!isConnectNeeded(error) || isComposed(upstream)) throw error
    if (!answerBefore(parts, { ...visit, upstream }, aim.row)) throw error
    return undefined
  }
}

async function wayTo(
  { catalogue, connections, crossings }: StatelessParts,
  { exchange, principal }: Visit,
  { equipped, method }: { equipped: Equipped; method: string },
) {
  const { upstream } = equipped
  const eras =
    catalogue.eras(upstream.id) ?? (await catalogue.learnEras(upstream, askerOf(exchange, principal)))
  const isCrossed = !eras.includes('stateless')
  if (isCrossed && isOptional(method)) unknownMethod(method)
  return {
    isCrossed,
    link: isCrossed ? crossings.stateless(equipped) : await connections.stateless(equipped),
  }
}

type Said = { readonly row: MethodRow; readonly method: string; readonly params: JsonObject }

/** Where several servers stand behind one address, lists, discoveries and listens are the gateway's own. */
async function servedHere(
  parts: StatelessParts,
  visit: Composed,
  { row, method, params }: Said,
): Promise<boolean> {
  if (isOptional(method)) unknownMethod(method)
  if (row.shape === 'listen') listenComposed(parts, visit, params)
  else if (row.shape === 'list' || row.shape === 'discover') await answerComposed(parts, visit, row)
  else return false
  return true
}

function unknownMethod(method: string): never {
  fail('mcp.method_unknown', {
    why: `There is no method ${JSON.stringify(method.slice(0, 100))} in this revision.`,
  })
}

const noTask = () => undefined

// By who they are now: an open stream outlives a change of rights. And it keeps nothing of the request that opened it.
function taskNames(
  { tasks }: StatelessParts,
  { exchange, principal, upstream }: Visit,
  listened: ReadonlyMap<unknown, Task>,
): (id: unknown) => string | undefined {
  return id => {
    const task = listened.get(id)
    return task && tasks.nameAllowed({ principal: exchange.principal ?? principal, upstream }, task)
  }
}

// The name that Mcp-Name mirrors; some methods have a subject but no mirrored name.
function mirroredName({ subject, named }: MethodRow, params: JsonObject): string | undefined {
  if (named !== true) return undefined
  const member = subject === 'uri' ? 'uri' : subject === 'task' ? 'taskId' : 'name'
  const value = params[member]
  if (typeof value !== 'string')
    fail('mcp.invalid_params', { why: `The parameter ${member} is missing or not a string.` })
  return value
}

// Only now, because it shows that there is such a tool. What was set here no client can mirror.
function checkArguments(
  { catalogue }: StatelessParts,
  { exchange }: Visit,
  { sent, params, source }: { sent: JsonObject; params: JsonObject; source: Upstream },
): void {
  const given = isObject(params.arguments) ? params.arguments : {}
  const mirrored = catalogue
    .mirroredArguments(source.id, String(sent.name))
    .filter(({ path: [first = ''] }) => sent === params || Object.hasOwn(given, first))
  checkMirroredArguments(exchange.request.headers, params.arguments, mirrored)
}

const mirrored = ['mcp-protocol-version', 'mcp-method', 'mcp-name']

/** The MCP headers of the request, which the upstream checks again, as flat pairs: with the upstream's own id of a task. */
function mirroredHeaders(headers: IncomingHttpHeaders, taskId: string | undefined): string[] {
  const pairs: string[] = []
  for (const name of mirrored) {
    const value = name === 'mcp-name' && taskId !== undefined ? encodeMirrored(taskId) : headers[name]
    if (typeof value === 'string') pairs.push(name, value)
  }
  for (const name in headers) {
    if (!name.startsWith('mcp-param-')) continue
    const value = headers[name]
    if (typeof value !== 'string' || !/^[\x20-\x7e\t]*$/.test(value))
      fail('mcp.header_mismatch', { why: `The header ${name} is not plain text.` })
    pairs.push(name, value)
  }
  return pairs
}

type AllowedListen = {
  readonly patches: readonly Patch[]
  /** The tasks that are listened for, by the upstream's ids. */
  readonly tasks: ReadonlyMap<unknown, Task>
}

const maxTasksHeard = 256

/** The listen request without what the caller may not hear about; the acknowledgement then names what is left. */
function allowedListen(parts: StatelessParts, visit: Visit, params: JsonObject): AllowedListen {
  const { principal, upstream, bytes } = visit
  const filter = params.notifications
  if (!isObject(filter)) fail('mcp.invalid_params', { why: 'The parameter notifications must be an object.' })
  const { taskIds, ...wanted } = filter
  const allowed: Record<string, unknown> = wanted
  if (!mayDo(parts.access, principal, upstream, 'resource.read')) delete allowed.resourceSubscriptions
  if (!mayDo(parts.access, principal, upstream, 'resource.list')) delete allowed.resourcesListChanged
  if (!mayDo(parts.access, principal, upstream, 'prompt.list')) delete allowed.promptsListChanged
  const tasks = taskIds === undefined ? [] : heardTasks(parts, visit, params, taskIds)
  if (tasks.length > 0) allowed.taskIds = tasks.map(({ id }) => id)
  const span = spanAt(bytes, ['params', 'notifications'])
  const isChanged = taskIds !== undefined || Object.keys(allowed).length !== Object.keys(filter).length
  return {
    patches: span && isChanged ? [{ span, text: JSON.stringify(allowed) }] : [],
    tasks: new Map(tasks.map(task => [task.id, task])),
  }
}

// Names that are not of a task of this caller are left out like those of tasks that are not for them any more.
function heardTasks(parts: StatelessParts, visit: Visit, params: JsonObject, names: unknown): Task[] {
  checkDeclared(params)
  if (!Array.isArray(names) || names.length > maxTasksHeard)
    fail('mcp.invalid_params', {
      why: `The member taskIds must be an array of at most ${maxTasksHeard} ids.`,
    })
  return names.flatMap(name => parts.tasks.findAllowed(visit, name) ?? [])
}
