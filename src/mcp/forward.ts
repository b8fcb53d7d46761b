/** Steps "equip" and "forward": a cleared request on its way upstream, with the gateway's own id and progress token in it. */
import { hash } from 'node:crypto'
import type { Access } from '../access/index.ts'
import { asGatewayError, fail } from '../foundation/errors.ts'
import type { Handles } from '../foundation/handles.ts'
import { applyPatches, isObject, type JsonObject, type Patch, spanAt } from '../foundation/json.ts'
import type { Principal } from '../identity/index.ts'
import {
  type Catalogue,
  nextUpstreamId,
  type Outgoing,
  type ResultEdits,
  type Upstream,
} from '../upstreams/index.ts'
import { mayHear, mayList } from './clear.ts'
import type { Exchange } from './exchange.ts'
import { relayedCapabilities, rewriteDiscovery, rewriteList, rewriteRead } from './lists.ts'
import type { MethodRow } from './methods.ts'
import { Reply, type ReplyOptions } from './reply.ts'
import { metaKeys } from './versions.ts'

export type Cleared = {
  readonly exchange: Exchange
  readonly principal: Principal
  readonly upstream: Upstream
  readonly row: MethodRow
  readonly method: string
  readonly params: JsonObject
  readonly bytes: Buffer
}

export type ForwardParts = {
  readonly access: Access
  readonly catalogue: Catalogue
  readonly handles: Handles
  readonly argumentsInFull: boolean
  /** How long a client of the session era may take to come back for an answer. */
  readonly resumeMs: number
  listChanged(serverId: string): void
}

/** Arguments are recorded by hash and size, or in full where the configuration says so. */
function noteInput({ exchange, bytes, params }: Cleared, argumentsInFull: boolean): void {
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

function capabilityPatch(bytes: Buffer, params: JsonObject): Patch[] {
  const reduced = isObject(params._meta)
    ? relayedCapabilities(params._meta[metaKeys.capabilities])
    : undefined
  const span = reduced && spanAt(bytes, ['params', '_meta', metaKeys.capabilities])
  return span ? [{ span, text: JSON.stringify(reduced) }] : []
}

const ownOnly: ResultEdits = { isPrivate: true }
const shareable: ResultEdits = { isPrivate: false }

// Lists are rewritten anyway; of what else may be cached there is only this (MCP 2026-07-28, server/utilities/caching).
function isPrivate({ exchange, method }: Cleared): boolean {
  return exchange.era === 'stateless' && method === 'resources/read'
}

// Whatever the client speaks, it is the gateway that mirrors for a server without sessions.
function goesStateless({ catalogue }: ForwardParts, { exchange, upstream }: Cleared): boolean {
  return exchange.era === 'stateless' || catalogue.eras(upstream.id)?.includes('session') === false
}

function rewriteFor(parts: ForwardParts, cleared: Cleared): ReplyOptions['rewrite'] {
  const { row, principal, upstream, exchange } = cleared
  if (row.shape === 'discover') return rewriteDiscovery
  if (isPrivate(cleared)) return rewriteRead
  const key = row.list
  if (key === undefined) return undefined
  if (key !== 'tools')
    return (bytes, answer) => rewriteList(bytes, answer, { key, era: exchange.era, keep: () => true })
  return (bytes, answer) => {
    if (isObject(answer.result)) parts.catalogue.observe(upstream.id, answer.result.tools)
    const keep = (tool: JsonObject) => {
      const name = typeof tool.name === 'string' ? tool.name : ''
      const known = parts.catalogue.tool(upstream.id, name)
      // A tool that misuses headers is none (MCP 2026-07-28, basic/transports/streamable-http, "Schema extension").
      if (known?.mirrored === 'invalid' && goesStateless(parts, cleared)) return false
      return mayList(parts.access, principal, upstream, { name, readOnly: known?.readOnly === true })
    }
    return rewriteList(bytes, answer, { key, era: exchange.era, keep })
  }
}

/** Prepares the request and the reply its answer goes to. `ended` is told when the reply is over. */
export function prepare(
  parts: ForwardParts,
  cleared: Cleared,
  more: {
    mirrored: readonly string[]
    /** The request, and its parameters, where they are not what the client sent. */
    body?: Buffer
    params?: JsonObject
    ended(): void
    forgotten?(): void
  },
): { outgoing: Outgoing; reply: Reply } {
  const { exchange, principal, upstream, method, params, row } = cleared
  const bytes = more.body ?? cleared.bytes
  const upstreamId = nextUpstreamId()
  if (method === 'tools/call') noteInput(cleared, parts.argumentsInFull)
  const id = spanAt(bytes, ['id'])
  const progress = progressTokenOf(bytes, params)
  const patches: Patch[] = id ? [{ span: id, text: String(upstreamId) }] : []
  if (progress) patches.push({ span: progress.span, text: String(upstreamId) })
  patches.push(...capabilityPatch(bytes, params))
  const rewrite = rewriteFor(parts, cleared)
  const reply = new Reply(exchange, {
    upstreamId,
    progressToken: progress?.text,
    isListen: row.shape === 'listen',
    whole: row.shape !== 'call' && row.shape !== 'listen',
    edits: isPrivate(cleared) ? ownOnly : shareable,
    ...(rewrite === undefined ? {} : { rewrite }),
    resumeMs: parts.resumeMs,
    mayHear: heard => mayHear(parts.access, exchange.principal ?? principal, upstream, heard),
    listChanged: () => parts.listChanged(upstream.id),
    ended: more.ended,
    ...(more.forgotten === undefined ? {} : { forgotten: more.forgotten }),
  })
  exchange.upstreamStarted()
  const outgoing = {
    body: applyPatches(bytes, patches),
    upstreamId,
    method,
    params: more.params ?? params,
    sink: reply,
    mirrored: more.mirrored,
    endless: row.shape === 'listen',
  }
  return { outgoing, reply }
}

/** Sends what was prepared. What goes wrong before it is on its way ends the reply like everything after. */
export function send(link: { request(outgoing: Outgoing): unknown }, outgoing: Outgoing, reply: Reply): void {
  try {
    link.request(outgoing)
  } catch (thrown) {
    reply.failed(asGatewayError(thrown))
  }
}
