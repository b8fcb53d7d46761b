import type { GatewayError } from '../foundation/errors.ts'
import { newId } from '../foundation/id.ts'
import type { Caller } from '../foundation/route.ts'
import type { AuditEvent } from './event.ts'

export type Refusal = {
  /** Who it was, if that is known. */
  readonly caller: Caller | undefined
  readonly requestId: string
  /** What was asked. */
  readonly action: string
  readonly target?: string
  /** Of the client, as the socket has it. */
  readonly address: string | undefined
  /** The User-Agent. */
  readonly client: string | undefined
  /** When it began, in milliseconds since 1970, and how long it took. */
  readonly at: number
  readonly total: number
}

/** The event of a request outside MCP that was refused: `rejected` when nobody knows who it was, `denied` otherwise. */
export function refusalEvent(error: GatewayError, refusal: Refusal): AuditEvent {
  const { caller, requestId, action, target = null, at, total } = refusal
  return {
    id: newId(),
    at,
    kind: 'identity',
    requestId,
    who: {
      id: caller?.id ?? null,
      kind: caller?.kind ?? 'nobody',
      name: caller?.name ?? null,
      tokenId: caller?.tokenId ?? null,
      address: refusal.address ?? null,
      client: refusal.client?.slice(0, 200) ?? null,
    },
    action,
    target,
    subject: null,
    decision: { allowed: false, reason: error.why },
    outcome: caller === undefined ? 'rejected' : 'denied',
    error: error.code,
    input: null,
    bytes: { in: 0, out: 0 },
    time: { total, upstream: 0 },
    era: null,
    detail: null,
  }
}
