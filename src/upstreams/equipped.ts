import type { Upstream } from './upstream.ts'

declare const equipped: unique symbol

/** An upstream together with what authenticates the gateway to it, for a caller who was cleared. Every request needs one. */
export type Equipped = {
  readonly upstream: Upstream
  /** Flat [name, value, ...] pairs, ready for the wire. */
  readonly headers: readonly string[]
  /** The variables of a stdio server's process; opened only when one is started. */
  readonly environment: () => Readonly<Record<string, string>>
  /** Who it is for: keys what must not be shared between callers. */
  readonly principalId: string
  readonly [equipped]: true
}

/** Stands for the gateway where it asks for itself: nothing a server says then is about anybody. */
export const ownPrincipal = 'gateway'

/** For the vault alone (an architecture test holds everybody else to it): marks what access cleared and the vault equipped. */
export function markEquipped(
  parts: Pick<Equipped, 'upstream' | 'headers' | 'environment' | 'principalId'>,
): Equipped {
  return parts as Equipped
}
