import { hash } from 'node:crypto'
import { newId } from '../foundation/id.ts'
import type { Caller } from '../foundation/route.ts'
import type { AuditEvent } from './event.ts'

export type Change = {
  /** `room.verb`, such as `access.grant`. */
  readonly action: string
  /** `user:...`, `team:...`, `group:...`, `group/server` and so on. */
  readonly target: string | null
  /** What was set, without secrets. */
  readonly detail?: unknown
}

/** The event of a change that was made through the management API, the manifest or the command line. */
export function changeEvent(caller: Caller, requestId: string, change: Change): AuditEvent {
  const { id, kind, name, tokenId = null } = caller
  return eventOf(change, { requestId, who: { id, kind, name, tokenId, address: null, client: null } })
}

/** The event of something that the gateway did by itself, as its rules say. */
export function ownEvent(change: Change): AuditEvent {
  const who = { id: null, kind: 'nobody', name: null, tokenId: null, address: null, client: null } as const
  return eventOf(change, { requestId: newId(), who })
}

function eventOf(
  { action, target, detail = null }: Change,
  { requestId, who }: Pick<AuditEvent, 'requestId' | 'who'>,
): AuditEvent {
  const at = Date.now()
  return {
    id: newId(at),
    at,
    kind: 'change',
    requestId,
    who,
    action,
    target,
    subject: null,
    decision: null,
    outcome: 'ok',
    error: null,
    input: null,
    bytes: { in: 0, out: 0 },
    time: { total: 0, upstream: 0 },
    era: null,
    detail,
  }
}

/** SHA-256 of the bytes of a value, hex: how arguments are recorded without being kept. */
export function hashInput(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}
