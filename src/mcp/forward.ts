/** Steps "equip" and "forward": a cleared request on its way upstream, with the gateway's own id and progress token in it. */
import { hash } from 'node:crypto'
import type { Access } from '../access/index.ts'
import { asGatewayError, fail, type GatewayError } from '../foundation/errors.ts'
import type { Handles } from '../foundation/handles.ts'
import { applyPatches, isObject, type JsonObject, onlyAt, type Patch, spanAt } from '../foundation/json.ts'
import type { Principal } from '../identity/index.ts'
import type { Served } from '../servers/index.ts'
import {
  type Catalogue,
  type Equipped,
  nextUpstreamId,
  type Outgoing,
  type ResultEdits,
  type Upstream,
  whyNoTools,
} from '../upstreams/index.ts'
import type { Again } from './again.ts'
import { mayHear, mayList, mayShow } from './clear.ts'
import type { Correct } from './correct.ts'
import type { Exchange } from './exchange.ts'
import { rewriteDiscovery, rewriteList, rewriteRead } from './lists.ts'
import type { MethodRow } from './methods.ts'
import { relayedCapabilities } from './relayed.ts'
import { Reply, type ReplyOptions, type Way } from './reply.ts'
import {
  checkIsComplete,
  listedTaskPatches,
  sealCursor,
  sealedMembers,
  sealPatches,
  wantsTask,
} from './seal.ts'
import type { Task, Tasks } from './tasks.ts'
import { metaKeys } from './versions.ts'

export type Cleared = {
  readonly exchange: Exchange
  readonly principal: Principal
  /** What was asked: what clients carry is bound to it, and what they may hear is decided about it. */
  readonly upstream: Served
  /** The server that gets it. */
  readonly source: Upstream
  readonly row: MethodRow
  readonly method: string
  /** With the upstream's own texts in place of what the client carried for it. */
  readonly params: JsonObject
  readonly bytes: Buffer
  /** The same as that server has to get them. */
  readonly sent: JsonObject
  /** What makes the bytes say so. */
  readonly patches: readonly Patch[]
  /** The task the request is about. */
  readonly task?: Task | undefined
  /** The upstream speaks only the other era. */
  readonly isCrossed: boolean
}

export type ForwardParts = {
  readonly access: Access
  readonly catalogue: Catalogue
  readonly handles: Handles
  readonly tasks: Tasks
  readonly argumentsInFull: boolean
  listChanged(serverId: string): void
  /** Sends a request again that failed, where that is safe. */
  readonly again: Again
  readonly correct: Correct
}

/** Arguments are recorded by hash and size, or in full where the configuration says so. */
export function noteInput(
  { exchange, bytes, params }: Pick<Cleared, 'exchange' | 'bytes' | 'params'>,
  argumentsInFull: boolean,
): void {
  const span = spanAt(bytes, ['params', 'arguments'])
  if (span === undefined) return
  const input = { bytes: span.end - span.start, sha256: hash('sha256', bytes.subarray(span.start, span.end)) }
  exchange.input = argumentsInFull ? { ...input, arguments: params.arguments } : input
}

function progressTokenOf(
  bytes: Buffer,
  params: JsonObject,
): { span: { start: number; end: number }; text: string } | undefined {
  if (!isObject(params._meta) || params._meta.progressToken === undefined) return undefined
  const span = spanAt(bytes, ['params', '_meta', 'progressToken'])
  if (span === undefined) return undefined
  const token = params._meta.progressToken
  if (typeof token !== 'string' && typeof token !== 'number')
    fail('mcp.invalid_params', { why: 'The progressToken must be a string or a number.' })
  return { span, text: bytes.toString('utf8', span.start, span.end) }
}

function capabilityPatch({ bytes, params, isCrossed }: Cleared): Patch[] {
  const reduced = isObject(params._meta)
    ? relayedCapabilities(params._meta[metaKeys.capabilities], { of: 'client', era: 'stateless', isCrossed })
    : undefined
  const span = reduced && spanAt(bytes, ['params', '_meta', metaKeys.capabilities])
  return span ? [{ span, text: JSON.stringify(reduced) }] : []
}

// Lists are rewritten anyway; of what else may be cached there is only what is read (MCP 2026-07-28, server/utilities/caching).
function isPrivate({ exchange, row }: Cleared): boolean {
  return exchange.era === 'stateless' && row.action === 'resource.read' && row.shape === 'call'
}

function editsFor(parts: ForwardParts, cleared: Cleared): ResultEdits {
  const replace = sealedMembers(parts, cleared)
  return { isPrivate: isPrivate(cleared), ...(replace === undefined ? {} : { replace }) }
}

// Long answers pass in pieces where all that must be changed stands at the top of their result.
function isWhole(cleared: Cleared): boolean {
  const { exchange, row, method } = cleared
  if (row.shape !== 'call') return row.shape !== 'listen'
  if (exchange.era === 'stateless') return row.asks !== true && method !== 'tasks/get'
  return method === 'tasks/result' || wantsTask(cleared)
}

function rewriteFor(parts: ForwardParts, cleared: Cleared): ReplyOptions['rewrite'] {
  const { row, isCrossed } = cleared
  if (row.shape === 'discover') return (bytes, answer) => rewriteDiscovery(bytes, answer, isCrossed)
  if (row.shape === 'list') return rewriteListFor(parts, cleared)
  if (row.shape === 'listen') return undefined
  const isRead = isPrivate(cleared)
  return (bytes, answer) => {
    if (!isObject(answer.result)) return bytes
    const sealed = applyPatches(bytes, sealPatches(parts, cleared, bytes, answer.result))
    return isRead ? rewriteRead(sealed, answer) : sealed
  }
}

function rewriteListFor(parts: ForwardParts, cleared: Cleared): ReplyOptions['rewrite'] {
  const { row, method, exchange, upstream } = cleared
  const key = row.list
  if (key === undefined) return undefined
  const list = {
    key,
    era: exchange.era,
    keep: keepFor(parts, cleared),
    ...(key === 'tools' && { whyNone: whyNoneFor(parts, cleared) }),
    sealCursor: (cursor: string) => sealCursor(parts, cleared, cursor),
  }
  return (bytes, answer) => {
    if (isObject(answer.result)) checkIsComplete(cleared, answer.result)
    if (method !== 'tools/list') checkIsOneList(bytes, answer, key)
    else if (isObject(answer.result)) parts.catalogue.observe(upstream.id, answer.result.tools, bytes)
    const kept = rewriteList(bytes, answer, list)
    return key === 'tasks' ? applyPatches(kept, listedTaskPatches(parts, cleared, kept)) : kept
  }
}

// Of two lists under one key a client may take the one that nobody looked at.
function checkIsOneList(bytes: Buffer, { result }: JsonObject, key: string): void {
  if (isObject(result) && Array.isArray(result[key]) && onlyAt(bytes, ['result', key]) === undefined)
    fail('upstream.bad_answer', { why: `Its answer has more than one list of ${key}.` })
}

/** Which items of a list are for the caller. */
function keepFor(parts: ForwardParts, cleared: Cleared): (item: JsonObject) => boolean {
  const { row, principal, upstream, exchange, isCrossed } = cleared
  if (row.list === 'tasks') return ({ taskId }) => parts.tasks.heard(cleared, taskId) !== undefined
  const { list } = row
  if (list !== undefined && list !== 'tools')
    return item => mayShow(parts.access, { principal, upstream }, list, item)
  return tool => {
    const name = typeof tool.name === 'string' ? tool.name : ''
    const known = parts.catalogue.tool(upstream.id, name)
    // A tool that misuses headers is none (MCP 2026-07-28, basic/transports/streamable-http, "Schema extension").
    if (known?.mirrored === 'invalid' && (exchange.era === 'stateless' || isCrossed)) return false
    return mayList(parts, { principal, upstream }, name)
  }
}

function whyNoneFor({ access, catalogue }: ForwardParts, { principal, upstream }: Cleared) {
  const { id, group, name: server, policy } = upstream
  return (items: readonly JsonObject[]) =>
    whyNoTools(
      upstream,
      items.map(({ name }) => ({ name: String(name), facts: catalogue.tool(id, String(name)) })),
      tool => access.clear(principal, 'tool.call', { group, server, policy, tool }).allowed,
    )
}

/** Prepares the request and the reply its answer goes to. `ended` is told when the reply is over. */
export function prepare(
  parts: ForwardParts,
  cleared: Cleared,
  more: {
    mirrored: readonly string[]
    /** The client's name for a task that a message of the upstream is about; undefined when it is not for the client. */
    taskName(id: unknown): string | undefined
    other?: ReplyOptions['other']
    /** What it takes to send it another way; where there may be another. */
    equipped?: Equipped
    /** Which of the servers behind the session gets it. */
    to?: Equipped | undefined
    /** On a session: what this request was equipped with. */
    own?: Equipped
    ended(): void
  },
): { outgoing: Outgoing; reply: Reply } {
  const { exchange, principal, upstream, source, method, params, sent, row, bytes } = cleared
  const upstreamId = nextUpstreamId()
  if (method === 'tools/call') noteInput(cleared, parts.argumentsInFull)
  const id = spanAt(bytes, ['id'])
  const progress = progressTokenOf(bytes, params)
  const patches: Patch[] = [...cleared.patches, ...capabilityPatch(cleared)]
  if (id) patches.push({ span: id, text: String(upstreamId) })
  if (progress) patches.push({ span: progress.span, text: String(upstreamId) })
  const rewrite = rewriteFor(parts, cleared)
  const reply = new Reply(exchange, {
    upstreamId,
    progressToken: progress?.text,
    isListen: row.shape === 'listen',
    whole: isWhole(cleared),
    edits: editsFor(parts, cleared),
    ...(rewrite === undefined ? {} : { rewrite }),
    upstream: source,
    ...(more.equipped === undefined ? {} : { equipped: more.equipped }),
    again: parts.again,
    correct: parts.correct,
    mayHear: heard => mayHear(parts.access, exchange.principal ?? principal, upstream, heard),
    taskName: more.taskName,
    ...(more.other === undefined ? {} : { other: more.other }),
    listChanged: () => parts.listChanged(source.id),
    ended: more.ended,
    ...(source.id === upstream.id ? {} : { failed: error => doubt(parts, source, error) }),
  })
  exchange.upstreamStarted()
  const outgoing = {
    body: applyPatches(bytes, patches),
    upstreamId,
    method,
    params: sent,
    sink: reply,
    mirrored: more.mirrored,
    endless: row.shape === 'listen',
    ...(more.to === undefined ? {} : { to: more.to }),
    ...(more.own?.own === undefined ? {} : { credentials: more.own }),
  }
  return { outgoing, reply }
}

/** Of these failures one of several servers behind an address may be to blame, and then the list has to say so. */
const unreached: ReadonlySet<string> = new Set([
  'upstream.unreachable',
  'upstream.process_failed',
  'upstream.outcome_unknown',
])

function doubt({ listChanged }: ForwardParts, source: Upstream, { code }: GatewayError): void {
  if (unreached.has(code)) listChanged(source.id)
}

/** Sends what was prepared. What goes wrong before it is on its way ends the reply like everything after. */
export function send(link: Way, outgoing: Outgoing, reply: Reply): void {
  reply.sending(link, outgoing)
  try {
    link.request(outgoing)
  } catch (thrown) {
    reply.failed(asGatewayError(thrown))
  }
}
