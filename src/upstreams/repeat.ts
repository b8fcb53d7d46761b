/** What may be sent upstream again after it failed: the one place that says so (docs/decisions/0013-what-may-be-repeated.md). */
import { covers } from '../access/index.ts'
import type { GatewayError } from '../foundation/errors.ts'
import { applyPatches, isObject, spanAt } from '../foundation/json.ts'
import type { Outgoing } from './link.ts'
import { LostSession, nextUpstreamId } from './message.ts'
import type { ToolPolicy } from './upstream.ts'

/** Requests that only ask: they do the same however often they are sent. */
const asking: ReadonlySet<string> = new Set([
  'server/discover',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'prompts/list',
  'prompts/get',
  'completion/complete',
])

/** Failures that another try may not meet again. */
const passing: ReadonlySet<string> = new Set([
  'upstream.unreachable',
  'upstream.outcome_unknown',
  'upstream.process_failed',
])

/** Before each further try: soon for what is over already, within two seconds for a server that is starting again. */
const pauses = [50, 450, 1500] as const

/** How one request fared so far. */
export type Tries = {
  /** How often it was sent. */
  readonly sent: number
  /** It may have had an effect before: it was repeated once, and is not again. */
  wasRepeated: boolean
  /** Its session was lost before and opened again: a server that loses that too is not asked a third time. */
  wasReopened: boolean
}

/** Has a manager confirmed that calling this tool twice does no more than calling it once? What the server itself says are claims. */
function isConfirmed({ readOnly = [], idempotent = [] }: ToolPolicy, tool: unknown): boolean {
  return typeof tool === 'string' && [...readOnly, ...idempotent].some(glob => covers(glob, tool))
}

/** May it be sent twice, even when the first may have arrived? */
export function isRepeatable({ method, params }: Outgoing, policy: ToolPolicy): boolean {
  return method === 'tools/call' ? isConfirmed(policy, params.name) : asking.has(method)
}

/** How many milliseconds to wait before sending it again; undefined when it may not be. Notes a repeat in `tries`. */
export function nextTry(
  tries: Tries,
  error: GatewayError,
  { outgoing, policy, left }: { outgoing: Outgoing; policy: ToolPolicy; left: number },
): number | undefined {
  const pause = pauses[tries.sent - 1]
  if (pause === undefined || pause >= left || !passing.has(error.code)) return undefined
  if (error instanceof LostSession) {
    if (tries.wasReopened) return undefined
    tries.wasReopened = true
  } else if (!error.noEffect) {
    if (tries.wasRepeated || !isRepeatable(outgoing, policy)) return undefined
    tries.wasRepeated = true
  }
  return pause
}

/** The same request under an id of its own, since the server may have seen the first; it has until `latest`. */
export function anew(outgoing: Outgoing, latest: number): Outgoing {
  const { body, params } = outgoing
  const upstreamId = nextUpstreamId()
  const text = String(upstreamId)
  const hasToken = isObject(params._meta) && params._meta.progressToken !== undefined
  const token = hasToken ? spanAt(body, ['params', '_meta', 'progressToken']) : undefined
  const spans = [spanAt(body, ['id']), token].filter(span => span !== undefined)
  const patched = applyPatches(
    body,
    spans.map(span => ({ span, text })),
  )
  return { ...outgoing, body: patched, upstreamId, latest }
}
