/** What a whole answer must lose or gain before a client sees it. Everything that is not named here stays byte for byte. */
import {
  applyPatches,
  elements,
  isObject,
  type JsonObject,
  type Patch,
  skipSpace,
  spanAt,
} from '../foundation/json.ts'
import type { Exchange } from './exchange.ts'
import type { ListKey } from './methods.ts'
import { type Pair, relayedCapabilities } from './relayed.ts'
import { eraOf, statelessVersions } from './versions.ts'

const openBrace = 0x7b

/** The longest a client may keep a list: what a caller may see can change. */
const maxTtlMs = 30_000

// Lists differ by caller, whatever the upstream says of its own.
function cachePatches(bytes: Buffer, result: JsonObject): Patch[] {
  const patches: Patch[] = []
  const additions: string[] = []
  const scope = spanAt(bytes, ['result', 'cacheScope'])
  if (scope) patches.push({ span: scope, text: '"private"' })
  else additions.push('"cacheScope":"private"')
  const ttl = spanAt(bytes, ['result', 'ttlMs'])
  const isUsable = typeof result.ttlMs === 'number' && result.ttlMs >= 0 && Number.isInteger(result.ttlMs)
  if (!ttl) additions.push('"ttlMs":0')
  else if (!isUsable || Number(result.ttlMs) > maxTtlMs)
    patches.push({ span: ttl, text: isUsable ? String(maxTtlMs) : '0' })
  return [...patches, ...addMembers(bytes, ['result'], additions)]
}

function addMembers(bytes: Buffer, path: readonly string[], additions: readonly string[]): Patch[] {
  const span = spanAt(bytes, path)
  if (span === undefined || bytes[span.start] !== openBrace || additions.length === 0) return []
  const isEmpty = skipSpace(bytes, span.start + 1) === span.end - 1
  return [
    {
      span: { start: span.start + 1, end: span.start + 1 },
      text: additions.join(',') + (isEmpty ? '' : ','),
    },
  ]
}

const granted = 'is granted to you. Ask a manager of the group.'

function why(bytes: Buffer, sentence: string): Patch[] {
  const member = `"dev.gatehouse/why":${JSON.stringify(sentence)}`
  return spanAt(bytes, ['result', '_meta'])
    ? addMembers(bytes, ['result', '_meta'], [member])
    : addMembers(bytes, ['result'], [`"_meta":{${member}}`])
}

function keptPatches(bytes: Buffer, { key, keep, whyNone }: ListRewrite, items: readonly unknown[]): Patch[] {
  const kept = items.map(item => isObject(item) && keep(item))
  if (kept.every(Boolean)) return []
  const list = spanAt(bytes, ['result', key])
  if (list === undefined) return []
  const spans = [...elements(bytes, list.start)].filter((_, index) => kept[index])
  const text = `[${spans.map(span => bytes.toString('utf8', span.start, span.end)).join(',')}]`
  const patches = [{ span: list, text }]
  // That there are tasks of others is nobody's to know.
  if (spans.length > 0 || key === 'tasks') return patches
  const reason = whyNone?.(items.filter(isObject)) ?? `None of the ${key} listed here ${granted}`
  return [...patches, ...why(bytes, reason)]
}

function cursorPatches(bytes: Buffer, { nextCursor }: JsonObject, seal: (cursor: string) => string): Patch[] {
  const span = typeof nextCursor === 'string' ? spanAt(bytes, ['result', 'nextCursor']) : undefined
  return span === undefined ? [] : [{ span, text: JSON.stringify(seal(String(nextCursor))) }]
}

export type ListRewrite = {
  readonly key: ListKey
  readonly era: Exchange['era']
  keep(item: JsonObject): boolean
  /** Why none of them is kept, where that is not because nothing is granted. */
  whyNone?(items: readonly JsonObject[]): string | undefined
  /** What the client gets for the cursor of the next page. */
  sealCursor(cursor: string): string
}

/** A list without the items the caller may not use, never to be shared between callers. */
export function rewriteList(bytes: Buffer, answer: JsonObject, list: ListRewrite): Buffer {
  const { result } = answer
  if (!isObject(result)) return bytes
  const items = result[list.key]
  const patches = Array.isArray(items) ? keptPatches(bytes, list, items) : []
  patches.push(...cursorPatches(bytes, result, list.sealCursor))
  if (list.era === 'stateless') patches.push(...cachePatches(bytes, result))
  return applyPatches(bytes, merged(patches))
}

// Two insertions at one place become one patch, because patches may not overlap.
function merged(patches: readonly Patch[]): Patch[] {
  const byStart = new Map<number, Patch>()
  for (const patch of patches) {
    const known = byStart.get(patch.span.start)
    if (known === undefined || known.span.end !== known.span.start || patch.span.end !== patch.span.start)
      byStart.set(patch.span.start, patch)
    else byStart.set(patch.span.start, { span: patch.span, text: joinInsertions(known.text, patch.text) })
  }
  return [...byStart.values()]
}

function joinInsertions(first: string, second: string): string {
  return first.endsWith(',') ? first + second : `${first},${second}`
}

/** The list of a caller to whom nothing of its kind is granted, as a whole answer. */
export function emptyList({ clientId, era }: Pick<Exchange, 'clientId' | 'era'>, key: ListKey): Buffer {
  const members = era === 'stateless' ? { resultType: 'complete', ttlMs: 0, cacheScope: 'private' } : {}
  const _meta = { 'dev.gatehouse/why': `No ${key} ${granted}` }
  return Buffer.from(
    `{"jsonrpc":"2.0","id":${clientId},"result":${JSON.stringify({ [key]: [], ...members, _meta })}}`,
  )
}

function capabilityPatches(bytes: Buffer, result: JsonObject, pair: Pair): Patch[] {
  const reduced = relayedCapabilities(result.capabilities, { ...pair, of: 'server' })
  const span = spanAt(bytes, ['result', 'capabilities'])
  return reduced && span ? [{ span, text: JSON.stringify(reduced) }] : []
}

/** What was read, never to be shared between callers. */
export function rewriteRead(bytes: Buffer, { result }: JsonObject): Buffer {
  if (!isObject(result) || result.resultType === 'input_required') return bytes
  return applyPatches(bytes, cachePatches(bytes, result))
}

/** A DiscoverResult that speaks for the gateway: its versions, what it relays, private. */
export function rewriteDiscovery(bytes: Buffer, answer: JsonObject, isCrossed: boolean): Buffer {
  const { result } = answer
  if (!isObject(result)) return bytes
  const versions = spanAt(bytes, ['result', 'supportedVersions'])
  const patches: Patch[] = versions ? [{ span: versions, text: JSON.stringify(statelessVersions) }] : []
  return applyPatches(bytes, [
    ...patches,
    ...capabilityPatches(bytes, result, { era: 'stateless', isCrossed }),
    ...cachePatches(bytes, result),
  ])
}

// Revisions are dates, so their text is in their order.
function isOlder(version: string, than: unknown): boolean {
  return eraOf(version) === 'session' && typeof than === 'string' && version < than
}

/** The revision an InitializeResult agrees on with a client that asked for `asked`; undefined when it names none. */
export function agreedVersion({ result }: JsonObject, asked: string | undefined): string | undefined {
  const version = isObject(result) ? result.protocolVersion : undefined
  if (typeof version !== 'string') return undefined
  return asked !== undefined && isOlder(asked, version) ? asked : version
}

/** An InitializeResult for this client: its id, its version where the server was asked for a newer one, what the gateway relays. */
export function rewriteOpening(
  bytes: Buffer,
  answer: JsonObject,
  to: { clientId: string; version: string | undefined; isCrossed: boolean },
): Buffer {
  const { result } = answer
  const id = spanAt(bytes, ['id'])
  const patches: Patch[] = id ? [{ span: id, text: to.clientId }] : []
  if (!isObject(result)) return applyPatches(bytes, patches)
  const version = spanAt(bytes, ['result', 'protocolVersion'])
  const agreed = agreedVersion(answer, to.version)
  if (version && agreed !== undefined && agreed !== result.protocolVersion)
    patches.push({ span: version, text: JSON.stringify(agreed) })
  return applyPatches(bytes, [
    ...patches,
    ...capabilityPatches(bytes, result, { era: 'session', isCrossed: to.isCrossed }),
  ])
}
