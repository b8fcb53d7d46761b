import { buildEndSessionUrl, type Configuration } from 'openid-client'
import { fail } from '../../../foundation/errors.ts'
import type { JsonObject } from '../../../foundation/json.ts'
import type { Log } from '../../../foundation/log.ts'
import type { Admitted, Via } from '../../providers/admit.ts'
import type { IdentityProvider } from '../../providers/provider.ts'
import type { Providers } from '../../providers/store.ts'
import type { BrowserSession, OpenedSession } from '../../sessions.ts'
import { userById } from '../../table.ts'
import { type Arriving, enter, orRefused, type SignInRoom } from '../enter.ts'
import type { Visitor } from '../journal.ts'
import { type Beginning, begin } from './begin.ts'
import { openClients } from './client.ts'
import { exchange, type Returning, taken } from './finish.ts'
import { openLogout } from './logout.ts'

export type AtProviders = {
  /** Those that sign people in, in order of name. */
  list(): readonly IdentityProvider[]
  /** The one whose people have addresses of this domain. */
  ofAddress(email: string): IdentityProvider | undefined
  /** The address a browser goes to. Throws `identity.provider_unknown` or `identity.provider_trouble`. */
  begin(name: string, beginning: Beginning): Promise<string>
  /** Back again. Throws `identity.flow_over`, `identity.other_browser`, `identity.sign_in_refused`, `identity.provider_trouble` or `identity.not_admitted`. */
  finish(returning: Returning, arriving: Arriving): Promise<{ onTo: string; opened: OpenedSession }>
  /** Where a browser signs out at the provider of its session too; undefined where that cannot be. */
  exitOf(session: BrowserSession, origin: string): Promise<string | undefined>
  /** The provider says that somebody signed out there. Throws `identity.logout_refused` or `identity.provider_unknown`. */
  loggedOut(name: string, logoutToken: string, visitor: Visitor): Promise<void>
}

export type ProviderParts = {
  readonly room: SignInRoom
  readonly providers: Providers
  readonly log: Log
  admit(provider: IdentityProvider, claims: JsonObject, via: Via): Promise<Admitted>
}

export function openAtProviders(parts: ProviderParts): AtProviders {
  const { room, providers } = parts
  const clients = openClients({ providers, clock: room.clock })
  const list = () => providers.list().filter(({ use }) => use.signIn)
  const byId = (id: string | null) => list().find(provider => provider.id === id)
  const byName = (name: string) =>
    list().find(provider => provider.name === name) ??
    fail('identity.provider_unknown', {
      why: `Nobody signs in at ${name}.`,
      fix: 'Choose another way at /sign-in.',
    })
  return {
    list,
    ofAddress(email) {
      const domain = email.split('@').at(-1)?.toLowerCase() ?? ''
      return list().find(({ domains }) => domains.includes(domain))
    },
    async begin(name, beginning) {
      const provider = byName(name)
      return begin(room, provider, await clients.of(provider), beginning)
    },
    async finish(returning, arriving) {
      const { flow, provider, shown } = await orRefused(room, signIn, arriving, async () => {
        const flow = await taken(room, returning)
        const provider = byId(flow.provider) ?? fail('identity.provider_unknown')
        const client: Configuration = await clients.of(provider)
        return { flow, provider, shown: await exchange(flow, returning, { provider, client }) }
      })
      const { claims, session, authenticatedAt } = shown
      const via = { via: 'sign-in', requestId: arriving.requestId } as const
      const admitted = await parts.admit(provider, claims, via)
      // Why may say who else is known here, so it is in the audit alone.
      if ('rejected' in admitted) return fail(admitted.rejected)
      const user = (await userById(room.database.kysely, admitted.userId)) ?? fail('identity.unknown')
      const detail = { provider: provider.name }
      const how = { method: 'provider', providerId: provider.id, providerSession: session } as const
      const opened = await enter(room, { ...how, user, detail, authenticatedAt }, arriving)
      return { onTo: flow.onTo, opened }
    },
    async exitOf({ providerId }, origin) {
      const provider = byId(providerId)
      const client = provider && (await clients.of(provider).catch(() => undefined))
      if (client?.serverMetadata().end_session_endpoint === undefined) return undefined
      return buildEndSessionUrl(client, { post_logout_redirect_uri: `${origin}/signed-out` }).href
    },
    loggedOut: openLogout(parts, byName),
  }
}

const signIn = { action: 'identity.sign_in', target: null } as const
