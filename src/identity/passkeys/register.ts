/** Making a passkey: the browser is given a challenge, and what it answers is checked once. */
import type { PublicKeyCredentialCreationOptionsJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import type { BrowserSession } from '../sessions.ts'
import { orRefused, type SignInRoom } from '../sign-in/enter.ts'
import { deed, type Visitor } from '../sign-in/journal.ts'
import { localUser } from '../sign-in/links.ts'
import { userById } from '../table.ts'
import { webAuthn } from './library.ts'
import { insertPasskey, passkeysOf } from './passkeys-table.ts'
import { type RelyingParty, relyingParty } from './relying-party.ts'
import { readRegistration } from './response.ts'

const kind = 'new passkey'
const goodSeconds = 5 * 60
/** EdDSA, ES256 and RS256 (COSE). */
const algorithms = [-8, -7, -257] as const
const mostPasskeys = 20
const kept = z.object({ challenge: z.string(), userId: z.string(), origin: z.string() })

export type Beginning<Options> = {
  readonly options: Options
  /** The secret to come back with. */
  readonly flow: string
}

export type Answer = { readonly flow: string /** JSON of the credential. */; readonly response: string }

type Session = Pick<BrowserSession, 'principal'>

/** Throws `identity.passkey_unavailable`, `identity.unknown` or `http.conflict`. */
export async function beginRegistration(
  { database: { kysely }, flows }: SignInRoom,
  { principal }: Session,
  origin: string,
): Promise<Beginning<PublicKeyCredentialCreationOptionsJSON>> {
  const { id: rpID } = relyingParty(origin)
  const user = localUser((await userById(kysely, principal.id)) ?? fail('identity.unknown'))
  const passkeys = await passkeysOf(kysely, user.id)
  if (passkeys.length >= mostPasskeys)
    fail('http.conflict', { why: `You have ${mostPasskeys} passkeys.`, fix: 'Remove one first.' })
  const { generateRegistrationOptions } = await webAuthn()
  const options = await generateRegistrationOptions({
    rpName: 'Gatehouse',
    rpID,
    userName: user.email,
    userID: Uint8Array.from(Buffer.from(user.id)),
    attestationType: 'none',
    supportedAlgorithmIDs: [...algorithms],
    excludeCredentials: passkeys.map(({ id }) => ({ id })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
  const what = { challenge: options.challenge, userId: user.id, origin }
  return { options, flow: await flows.begin(kind, what, { seconds: goodSeconds }) }
}

/** Keeps the passkey. Throws `identity.flow_over` or `identity.passkey_refused`. */
export function finishRegistration(
  room: SignInRoom,
  { principal }: Session,
  { answer, name, visitor }: { answer: Answer; name: string; visitor: Visitor },
): Promise<void> {
  const what = { action: 'identity.add_passkey', target: `user:${principal.name}` } as const
  return orRefused(room, what, visitor, async () => {
    const begun = await room.flows.take(kind, answer.flow, kept)
    if (begun === undefined) fail('identity.flow_over')
    if (begun.userId !== principal.id)
      fail('identity.passkey_refused', { why: 'It was begun by somebody else.' })
    const made = await verified(
      await readRegistration(answer.response),
      begun.challenge,
      relyingParty(begun.origin),
    )
    const { id, publicKey, counter, transports = [] } = made.credential
    await room.database.kysely.transaction().execute(async tx => {
      const isNew = await insertPasskey(tx, {
        id,
        user_id: principal.id,
        name,
        public_key: Buffer.from(publicKey).toString('base64url'),
        counter,
        transports_json: JSON.stringify(transports),
        created_at: room.clock.now(),
        used_at: null,
      })
      if (!isNew) fail('identity.passkey_refused', { why: 'It is known here already.' })
      await room.audit.recorded(deed({ ...what, detail: { id, name } }, visitor, principal))
    })
  })
}

async function verified(response: RegistrationResponseJSON, expectedChallenge: string, party: RelyingParty) {
  const { verifyRegistrationResponse } = await webAuthn()
  try {
    const { registrationInfo } = await verifyRegistrationResponse({
      response,
      expectedChallenge,
      expectedOrigin: party.origin,
      expectedRPID: party.id,
      requireUserVerification: true,
      supportedAlgorithmIDs: [...algorithms],
    })
    if (registrationInfo !== undefined) return registrationInfo
  } catch (cause) {
    fail('identity.passkey_refused', { cause, internal: String(cause) })
  }
  return fail('identity.passkey_refused')
}
