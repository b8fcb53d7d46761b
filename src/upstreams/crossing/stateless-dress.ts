/** Requests and answers between a stateless-era client and a session-era server: what each must not see, and what each must. */
import { applyPatches, isObject, type JsonObject, spanAt } from '../../foundation/json.ts'
import { edited } from '../../foundation/json-edit.ts'
import type { ResultEdits } from '../sink.ts'

const prefix = 'io.modelcontextprotocol/'
const envelope = new Set(
  ['protocolVersion', 'clientInfo', 'clientCapabilities', 'logLevel'].map(key => prefix + key),
)
const rounds = new Set(['inputResponses', 'requestState'])
const onlyMeta = new Set(['_meta'])

/** A request without what only its own era reads (MCP 2026-07-28, basic/index, `_meta`; basic/patterns/mrtr). */
export function undressed(body: Buffer, params: JsonObject): Buffer {
  const meta = isObject(params._meta) ? Object.keys(params._meta) : []
  const isOnlyEnvelope = meta.every(key => envelope.has(key))
  const plain = isOnlyEnvelope ? body : edited(body, ['params', '_meta'], { drop: envelope })
  const drop = isOnlyEnvelope ? new Set([...rounds, ...onlyMeta]) : rounds
  return edited(plain, ['params'], { drop })
}

/** Members every result of the stateless era has, and those that may be cached (ibid., server/utilities/caching). */
const complete = { resultType: '"complete"' }
const cacheable = { ...complete, ttlMs: '0', cacheScope: '"private"' }

const cacheableMethods = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
])

export function additionsFor(method: string): NonNullable<ResultEdits['add']> {
  return cacheableMethods.has(method) ? cacheable : complete
}

/** The answer of a session-era server as the stateless era has it. */
export function dressed(bytes: Buffer, answer: JsonObject, method: string): Buffer {
  if (isObject(answer.result)) return edited(bytes, ['result'], { add: additionsFor(method) })
  const code = isObject(answer.error) ? answer.error.code : undefined
  const span = code === -32002 ? spanAt(bytes, ['error', 'code']) : undefined
  // Resource not found (2025-11-25, server/resources; 2026-07-28, server/resources).
  return span ? applyPatches(bytes, [{ span, text: '-32602' }]) : bytes
}

// Unknown method (2026-07-28, basic/transports/streamable-http) and undeclared capability (ibid., basic/index).
const statuses: ReadonlyMap<unknown, number> = new Map([
  [-32601, 404],
  [-32021, 400],
])

/** The HTTP status of an answer, which the stateless era derives from an error's code and the session era does not. */
export function dressedStatus({ error }: JsonObject, status: number): number {
  return (isObject(error) ? statuses.get(error.code) : undefined) ?? status
}

const opening = new Set(['protocolVersion', 'serverInfo', '_meta'])

/** A DiscoverResult out of an InitializeResult: `bytes` is the whole answer, with the id that is to stand in it (2026-07-28, server/discover). */
export function discovery(bytes: Buffer, versions: readonly string[]): Buffer {
  const name = raw(bytes, ['result', 'serverInfo'])
  const withName = name === undefined ? {} : { [`${prefix}serverInfo`]: name }
  const meta = edited(Buffer.from(raw(bytes, ['result', '_meta']) ?? '{}'), [], { add: withName }).toString()
  return edited(bytes, ['result'], {
    drop: opening,
    add: { ...cacheable, supportedVersions: JSON.stringify(versions), _meta: meta },
  })
}

function raw(bytes: Buffer, path: readonly string[]): string | undefined {
  const span = spanAt(bytes, path)
  return span && bytes.toString('utf8', span.start, span.end)
}

/** A notification of the server with a place in it for the id of the listen it is sent to (2026-07-28, basic/patterns/subscriptions). */
export function subscribed(bytes: Buffer, message: JsonObject): Buffer {
  const tag = `{${JSON.stringify(`${prefix}subscriptionId`)}:0}`
  if (!isObject(message.params))
    return edited(bytes, [], { drop: new Set(['params']), add: { params: `{"_meta":${tag}}` } })
  if (!isObject(message.params._meta))
    return edited(bytes, ['params'], { drop: onlyMeta, add: { _meta: tag } })
  const key = `${prefix}subscriptionId`
  return edited(bytes, ['params', '_meta'], { drop: new Set([key]), add: { [key]: '0' } })
}
