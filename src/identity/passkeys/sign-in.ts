/** Signing in with a passkey: it says itself whose it is, and that it saw its person. */
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialRequestOptionsJSON,
} from '@simplewebauthn/server'
import { z } from 'zod'
import { fail, GatewayError } from '../../foundation/errors.ts'
import type { OpenedSession } from '../sessions.ts'
import { type Arriving, enter, orRefused, type SignInRoom } from '../sign-in/enter.ts'
import { type From, type User, userById } from '../table.ts'
import { webAuthn } from './library.ts'
import { notePasskeyUse, type Passkey, passkeyById } from './passkeys-table.ts'
import type { Answer, Beginning } from './register.ts'
import { relyingParty } from './relying-party.ts'
import { readAssertion, transportSchema } from './response.ts'

const kind = 'passkey sign-in'
const goodSeconds = 5 * 60
const kept = z.object({ challenge: z.string(), origin: z.string() })

/** Throws `identity.passkey_unavailable`. */
export async function beginPasskeySignIn(
  { flows }: SignInRoom,
  origin: string,
): Promise<Beginning<PublicKeyCredentialRequestOptionsJSON>> {
  const { generateAuthenticationOptions } = await webAuthn()
  const options = await generateAuthenticationOptions({
    rpID: relyingParty(origin).id,
    userVerification: 'required',
  })
  const what = { challenge: options.challenge, origin }
  return { options, flow: await flows.begin(kind, what, { seconds: goodSeconds }) }
}

/** Throws `identity.flow_over` or `identity.passkey_refused`. */
export function finishPasskeySignIn(
  room: SignInRoom,
  answer: Answer,
  arriving: Arriving,
): Promise<OpenedSession> {
  const { kysely } = room.database
  return orRefused(room, { action: 'identity.sign_in', target: null }, arriving, async () => {
    const begun = await room.flows.take(kind, answer.flow, kept)
    if (begun === undefined) fail('identity.flow_over')
    const response = readAssertion(answer.response)
    const passkey = await passkeyById(kysely, response.id)
    if (passkey === undefined) fail('identity.passkey_refused', { why: 'It is not known here.' })
    const counter = await newCounter(response, passkey, begun)
    const user = await holderOf(kysely, passkey, response.response.userHandle)
    if (!(await notePasskeyUse(kysely, passkey, { counter, at: room.clock.now() })))
      fail('identity.passkey_refused', { why: 'It was used elsewhere at the same time.' })
    return enter(room, { user, method: 'passkey', detail: { passkey: passkey.id } }, arriving)
  })
}

async function newCounter(
  response: AuthenticationResponseJSON,
  passkey: Passkey,
  { challenge, origin }: z.infer<typeof kept>,
): Promise<number> {
  const party = relyingParty(origin)
  const { verifyAuthenticationResponse } = await webAuthn()
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response,
      expectedChallenge: challenge,
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      requireUserVerification: true,
      credential: {
        id: passkey.id,
        publicKey: Uint8Array.from(Buffer.from(passkey.public_key, 'base64url')),
        // Compared below, so that a copy is told from what is only wrong.
        counter: 0,
        transports: z.array(transportSchema).parse(JSON.parse(passkey.transports_json)),
      },
    })
    if (verified) return checkedCounter(authenticationInfo.newCounter, passkey)
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause
    fail('identity.passkey_refused', { cause, internal: String(cause) })
  }
  return fail('identity.passkey_refused')
}

/** A counter that does not go on is that of a copy (WebAuthn 3, 6.1.1). Passkeys that are synced count nothing. */
function checkedCounter(counter: number, { counter: before }: Passkey): number {
  if (counter > before || (counter === 0 && before === 0)) return counter
  return fail('identity.passkey_refused', {
    why: 'It counted less than before: there may be a copy of it.',
    fix: 'Sign in another way, remove this passkey at /account, and add a new one.',
  })
}

async function holderOf(from: From, passkey: Passkey, handle: string | undefined): Promise<User> {
  const user = await userById(from, passkey.user_id)
  const isTheirs = handle === undefined || Buffer.from(handle, 'base64url').toString() === user?.id
  if (user === undefined || !isTheirs || user.disabled_at !== null)
    fail('identity.passkey_refused', { why: 'Its person may not sign in.' })
  if (user.provider_id !== null)
    fail('identity.passkey_refused', {
      why: 'Its person comes from an identity provider.',
      fix: 'Sign in there.',
    })
  return user
}
