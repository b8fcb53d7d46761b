/** Proofs of possession at a resource (RFC 9449, 4.3). */
import { hash } from 'node:crypto'
import { calculateJwkThumbprint, EmbeddedJWK, errors, type JWTPayload, jwtVerify } from 'jose'
import type { Clock } from '../../foundation/clock.ts'
import type { Flows } from '../flows.ts'
import type { Rejection } from '../principal.ts'
import type { Nonces } from './nonces.ts'
import { type Proven, proofAlgorithms, type Shown } from './open.ts'

export type ProofParts = {
  readonly clock: Clock
  readonly flows: Pick<Flows, 'once'>
  readonly nonces: Nonces
  /** Where clients reach the gateway that send this Host. */
  originOf(host: string | undefined): string
}

const windowSeconds = 60
/** As long as a proof with a nonce could be brought again, and then some. */
const rememberedSeconds = 300
const longestProof = 4096
const longestId = 256

const bad = (why: string): Rejection => ({ rejected: 'identity.bad_proof', why })

/** The key that made the proof for this token and this request; or why it is none. */
export async function checkProof(
  parts: ProofParts,
  token: string,
  shown: Shown,
): Promise<Proven | Rejection> {
  const proof = shown.headers.dpop
  if (typeof proof !== 'string') return bad('The request has no DPoP header.')
  if (proof.length > longestProof) return bad('The proof is too long.')
  const signed = await signedBy(proof)
  if (typeof signed === 'string') return bad(signed)
  const { payload, key } = signed
  const why = objectionTo(payload, { token, shown, origin: parts.originOf(shown.headers.host) })
  if (why !== undefined) return bad(why)
  const stale = staleness(parts, payload)
  if (stale !== undefined) return stale
  const text = `${key} ${payload.jti}`
  return { key, isFirstUse: () => parts.flows.once('dpop', text, { seconds: rememberedSeconds }) }
}

async function signedBy(proof: string): Promise<{ payload: JWTPayload; key: string } | string> {
  try {
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
      algorithms: [...proofAlgorithms],
      typ: 'dpop+jwt',
      // Whether it is recent is ours to judge.
      currentDate: new Date(0),
    })
    const { jwk } = protectedHeader
    return jwk === undefined ? 'The proof shows no key.' : { payload, key: await calculateJwkThumbprint(jwk) }
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError)
      return 'The proof is not a signed JWT of the kind it must be.'
    throw error
  }
}

type About = { readonly token: string; readonly shown: Shown; readonly origin: string }

function objectionTo(
  { htm, htu, ath, jti }: JWTPayload,
  { token, shown, origin }: About,
): string | undefined {
  if (typeof jti !== 'string' || jti === '' || jti.length > longestId) return 'The proof has no usable jti.'
  if (htm !== shown.method) return 'The proof is for another method.'
  const path = (shown.url ?? '/').split('?', 1)[0]
  if (typeof htu !== 'string' || withoutQuery(htu) !== withoutQuery(origin + path))
    return 'The proof is for another address.'
  return ath === hash('sha256', token, 'base64url') ? undefined : 'The proof is for another token.'
}

function withoutQuery(address: string): string | undefined {
  const url = URL.parse(address)
  if (url === null) return undefined
  url.search = ''
  url.hash = ''
  return url.href
}

function staleness({ clock, nonces }: ProofParts, { iat, nonce }: JWTPayload): Rejection | undefined {
  if (typeof iat !== 'number') return bad('The proof does not say when it was made.')
  if (nonce !== undefined)
    return typeof nonce === 'string' && nonces.isGood(nonce)
      ? undefined
      : wanting(nonces, 'The nonce of the proof is none that is good now.')
  const isRecent = Math.abs(clock.now() / 1000 - iat) <= windowSeconds
  return isRecent ? undefined : wanting(nonces, 'The proof was not made just now.')
}

function wanting(nonces: Nonces, why: string): Rejection {
  return { rejected: 'identity.nonce_wanted', why, nonce: nonces.next() }
}
