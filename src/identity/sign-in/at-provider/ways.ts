import { buildEndSessionUrl, type Configuration } from 'openid-client'
import { fail } from '../../../foundation/errors.ts'
import { keepGiven } from '../../provider-tokens/kept.ts'
import { userById } from '../../table.ts'
import { enter, orRefused, type Proof } from '../enter.ts'
import { begin } from './begin.ts'
import { openClients } from './client.ts'
import { exchange, taken } from './finish.ts'
import { openLogout } from './logout.ts'
import type { AtProviders, ProviderParts, Ways } from './open.ts'
import { refresh } from './refresh.ts'

/** What needs the library of OpenID Connect. */
export function openWays(parts: ProviderParts, list: AtProviders['list']): Ways {
  const { room, providers } = parts
  const clients = openClients({ providers, clock: room.clock })
  const byId = (id: string | null) => list().find(provider => provider.id === id)
  const byName = (name: string) =>
    list().find(provider => provider.name === name) ??
    fail('identity.provider_unknown', {
      why: `Nobody signs in at ${name}.`,
      fix: 'Choose another way at /sign-in.',
    })
  return {
    async begin(name, beginning) {
      const provider = byName(name)
      return begin(room, provider, await clients.of(provider), beginning)
    },
    async finish(returning, arriving) {
      const { flow, provider, shown } = await orRefused(room, signIn, arriving, async () => {
        const flow = await taken(room, returning)
        const provider = byId(flow.provider) ?? fail('identity.provider_unknown')
        const client: Configuration = await clients.of(provider)
        return {
          flow,
          provider,
          shown: await exchange(flow, returning, { provider, client, now: room.clock.now() }),
        }
      })
      const { claims, session, authenticatedAt, idToken } = shown
      const via = { via: 'sign-in', requestId: arriving.requestId } as const
      const admitted = await parts.admit(provider, claims, via)
      // Why may say who else is known here, so it is in the audit alone.
      if ('rejected' in admitted) return fail(admitted.rejected)
      const user = (await userById(room.database.kysely, admitted.userId)) ?? fail('identity.unknown')
      const detail = { provider: provider.name }
      const how = { method: 'provider', providerId: provider.id, providerSession: session, idToken } as const
      const { given } = shown
      const also: Proof['also'] = (tx, { id: sessionId, userId }) =>
        keepGiven(tx, room.seals, {
          ...{ userId, providerId: provider.id, sessionId, providerSession: session, given },
          now: room.clock.now(),
        })
      const keeping = provider.onBehalf !== undefined && { also }
      const opened = await enter(room, { ...how, user, detail, authenticatedAt, ...keeping }, arriving)
      return { onTo: flow.onTo, opened }
    },
    async exitOf({ session, origin, idToken }) {
      const provider = byId(session.providerId)
      // Who signs out here is out, whether the provider can be reached or not.
      const client =
        provider &&
        (await clients.of(provider).catch((error: unknown) => {
          parts.log.warn({ err: error, provider: provider.name }, 'Nobody can be signed out there now.')
          return undefined
        }))
      if (client?.serverMetadata().end_session_endpoint === undefined) return undefined
      return buildEndSessionUrl(client, {
        post_logout_redirect_uri: `${origin}/signed-out`,
        ...(idToken === undefined ? {} : { id_token_hint: idToken }),
      }).href
    },
    loggedOut: openLogout(parts, byName),
    refresh: async (provider, given) =>
      refresh(given, { provider, client: await clients.of(provider), now: room.clock.now() }),
  }
}

const signIn = { action: 'identity.sign_in', target: null } as const
