/** Tokens that are bound to a key, and the proofs that come with them (DPoP, RFC 9449). */
import type { IncomingMessage } from 'node:http'
import type { Rejection } from '../principal.ts'
import type { ProofParts } from './proof.ts'

/** Of a request, what a proof is about. */
export type Shown = Pick<IncomingMessage, 'method' | 'url' | 'headers'>

export type Proven = {
  /** The thumbprint of the key whose holder made the request. */
  readonly key: string
  /** To be asked once the token is known to be good: a proof counts once, in whichever process. */
  isFirstUse(): Promise<boolean>
}

/** By which proofs are signed. */
export const proofAlgorithms = ['ES256', 'ES384', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const

export type Proofs = {
  /** Whose key proved that this request with this token is theirs. */
  check(token: string, shown: Shown): Promise<Proven | Rejection>
}

/** What checks them is loaded with the first one. */
export function openProofs(parts: ProofParts): Proofs {
  let loading: Promise<typeof import('./proof.ts')> | undefined
  return {
    async check(token, shown) {
      loading ??= import('./proof.ts')
      return (await loading).checkProof(parts, token, shown)
    },
  }
}
