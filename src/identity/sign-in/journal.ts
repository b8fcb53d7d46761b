/** What the audit hears of signing in: one event for each sign-in, refusal, sign-out and change of a way to sign in. */
import { type AuditEvent, ownEvent } from '../../audit/index.ts'
import { asGatewayError } from '../../foundation/errors.ts'
import type { Caller } from '../../foundation/route.ts'

/** Where something comes from, unverified but for the address. */
export type Visitor = {
  readonly requestId: string
  /** As the socket has it. */
  readonly address: string | null
  /** The User-Agent. */
  readonly client: string | null
}

export type Deed = {
  readonly action: `identity.${string}`
  /** `user:...`; null when nobody knows whose it was. */
  readonly target: string | null
  readonly detail?: unknown
}

/** Who did it; nobody where they were refused before they were known. */
export type Doer = Pick<Caller, 'id' | 'kind' | 'name' | 'tokenId'> | undefined

export function deed(what: Deed, visitor: Visitor, doer: Doer): AuditEvent {
  const { requestId, address, client } = visitor
  const who = {
    id: doer?.id ?? null,
    kind: doer?.kind ?? 'nobody',
    name: doer?.name ?? null,
    tokenId: doer?.tokenId ?? null,
    address,
    client: client?.slice(0, 200) ?? null,
  } as const
  return { ...ownEvent(what), kind: 'identity', requestId, who }
}

/** The event of something that was refused, for the reason that was thrown. */
export function refusal(what: Deed, visitor: Visitor, thrown: unknown): AuditEvent {
  const { code, why } = asGatewayError(thrown)
  return {
    ...deed(what, visitor, undefined),
    decision: { allowed: false, reason: why },
    outcome: 'rejected',
    error: code,
  }
}

/** A visitor of whom only the request is known: what comes through the management API. */
export function asked(requestId: string): Visitor {
  return { requestId, address: null, client: null }
}
