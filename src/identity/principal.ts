import type { ErrorCode } from '../foundation/errors.ts'
import type { Caller } from '../foundation/route.ts'

declare const authenticated: unique symbol

/** Someone whose identity was checked. Only this room makes them. */
export type Principal = Caller & { readonly [authenticated]: true }

/** The other outcome of authentication; there is no third. */
export type Rejection = {
  readonly rejected: Extract<ErrorCode, `identity.${string}`>
  readonly why: string
  /** To be put into the next proof (RFC 9449, 9). */
  readonly nonce?: string
}

export function isRejection(outcome: Principal | Rejection): outcome is Rejection {
  return 'rejected' in outcome
}

/** Does it count against the address it came from? */
export function isFailure({ rejected }: Rejection): boolean {
  return rejected === 'identity.bad_token' || rejected === 'identity.bad_proof'
}

/** What an error made of it carries along. */
export function nonceOf({ nonce }: Rejection): { data?: { nonce: string } } {
  return nonce === undefined ? {} : { data: { nonce } }
}

/** For this room only: marks a caller as authenticated. */
export function asPrincipal(caller: Caller): Principal {
  return caller as Principal
}

/** The person on the gateway's own machine, who can open its socket or its files and so is its admin. */
export const operator: Principal = asPrincipal(
  Object.freeze({
    id: 'operator',
    kind: 'operator',
    name: 'operator',
    role: 'admin',
    subjects: Object.freeze(['everyone']),
    tokenId: undefined,
  }),
)

/** May the caller use the management API? The token of a virtual account may not: it is for MCP, and for GET /me. */
export function mayManage(caller: Caller): boolean {
  return caller.kind !== 'account'
}
