/** A provider says that somebody signed out there (OpenID Connect Back-Channel Logout 1.0). */
import { type JWTPayload, jwtVerify } from 'jose'
import { fail } from '../../../foundation/errors.ts'
import { isObject } from '../../../foundation/json.ts'
import { deleteTokensAt } from '../../provider-tokens/provider-tokens-table.ts'
import { KeyRing } from '../../providers/bearer/key-ring.ts'
import type { IdentityProvider } from '../../providers/provider.ts'
import { linkedIdentity } from '../../providers/provider-table.ts'
import { type From, type SessionRow, sessionsAtProvider } from '../../sign-in-table.ts'
import type { SignInRoom } from '../enter.ts'
import { orRefused } from '../enter.ts'
import { deed } from '../journal.ts'
import type { AtProviders, ProviderParts } from './open.ts'

const event = 'http://schemas.openid.net/event/backchannel-logout'
const types: readonly unknown[] = ['logout+jwt', 'JWT', undefined]
const longestSeconds = 10 * 60
const toleranceSeconds = 30

type LoggedOut = AtProviders['loggedOut']

export function openLogout(
  { room, log }: ProviderParts,
  byName: (name: string) => IdentityProvider,
): LoggedOut {
  const rings = new Map<string, { readonly version: number; readonly ring: KeyRing }>()
  const ringOf = (provider: IdentityProvider) => {
    const { id, version } = provider
    const before = rings.get(id)
    if (before?.version === version) return before.ring
    const ring = new KeyRing(provider, { clock: room.clock, log, gone: () => undefined })
    rings.set(id, { version, ring })
    return ring
  }
  return async (name, token, visitor) => {
    const provider = byName(name)
    const what = { action: 'identity.sign_out', target: `identity-provider:${name}` } as const
    await orRefused(room, what, visitor, async () => {
      const said = await verified(token, provider, { room, ring: ringOf(provider) })
      const sessions = await sessionsMeant(room, provider, said)
      await room.database.change(async tx => {
        for (const { id } of sessions) await room.sessions.end(id, tx)
        // Also those of sessions that are over here already.
        await deleteTokens(tx, provider, said)
        const users = [...new Set(sessions.map(({ email }) => `user:${email}`))]
        await room.audit.recorded(
          deed({ ...what, detail: { users, sessions: sessions.map(({ id }) => id) } }, visitor, undefined),
        )
      })
    })
  }
}

async function deleteTokens(
  tx: From,
  { id, issuer }: IdentityProvider,
  { session, subject }: Said,
): Promise<void> {
  if (session !== undefined) return deleteTokensAt(tx, id, { providerSession: session })
  const linked = subject === undefined ? undefined : await linkedIdentity(tx, issuer, subject)
  if (linked !== undefined) await deleteTokensAt(tx, id, { userId: linked.user_id })
}

type Said = { readonly subject: string | undefined; readonly session: string | undefined }

async function verified(
  token: string,
  provider: IdentityProvider,
  { room, ring }: { room: SignInRoom; ring: KeyRing },
): Promise<Said> {
  const { payload, protectedHeader } = await jwtVerify(token, ring.find, {
    algorithms: [...provider.algorithms],
    issuer: provider.issuer,
    audience: provider.clientId ?? '',
    clockTolerance: toleranceSeconds,
    maxTokenAge: longestSeconds,
    requiredClaims: ['iat', 'jti'],
    currentDate: new Date(room.clock.now()),
  }).catch(cause =>
    fail('identity.logout_refused', { why: 'Its signature, audience or time is not good.', cause }),
  )
  const why = objectionTo(payload, protectedHeader.typ)
  if (why !== undefined) fail('identity.logout_refused', { why })
  const isFirst = await room.flows.once('logout token', `${provider.issuer} ${payload.jti}`, {
    seconds: longestSeconds + 2 * toleranceSeconds,
  })
  if (!isFirst) fail('identity.logout_refused', { why: 'It was sent before.' })
  return { subject: payload.sub, session: typeof payload.sid === 'string' ? payload.sid : undefined }
}

/** What keeps an ID token, or any other, from being taken for one that ends sessions. */
function objectionTo({ events, sub, sid, nonce }: JWTPayload, type: unknown): string | undefined {
  if (!types.includes(type)) return 'Its type is another.'
  if (!isObject(events) || !isObject(events[event])) return 'It is no logout token.'
  if (nonce !== undefined) return 'It has a nonce.'
  return sub === undefined && typeof sid !== 'string' ? 'It names neither sub nor sid.' : undefined
}

async function sessionsMeant(
  { database: { kysely } }: SignInRoom,
  { id, issuer }: IdentityProvider,
  { subject, session }: Said,
): Promise<SessionRow[]> {
  const rows = await sessionsAtProvider(kysely, id)
  if (session !== undefined) return rows.filter(row => row.provider_session === session)
  const linked = subject === undefined ? undefined : await linkedIdentity(kysely, issuer, subject)
  return rows.filter(row => row.user_id === linked?.user_id)
}
