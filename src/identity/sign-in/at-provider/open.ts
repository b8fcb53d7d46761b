import type { JsonObject } from '../../../foundation/json.ts'
import type { Log } from '../../../foundation/log.ts'
import type { Given } from '../../provider-tokens/kept.ts'
import type { Renewed } from '../../provider-tokens/open.ts'
import type { Admitted, Via } from '../../providers/admit.ts'
import type { IdentityProvider } from '../../providers/provider.ts'
import type { Providers } from '../../providers/store.ts'
import type { BrowserSession, OpenedSession } from '../../sessions.ts'
import type { Arriving, SignInRoom } from '../enter.ts'
import type { Visitor } from '../journal.ts'
import type { Beginning } from './begin.ts'
import type { Returning } from './finish.ts'

export type Ways = {
  /** The address a browser goes to. Throws `identity.provider_unknown` or `identity.provider_trouble`. */
  begin(name: string, beginning: Beginning): Promise<string>
  /** Back again. Throws `identity.flow_over`, `identity.other_browser`, `identity.sign_in_refused`, `identity.provider_trouble` or `identity.not_admitted`. */
  finish(returning: Returning, arriving: Arriving): Promise<{ onTo: string; opened: OpenedSession }>
  /** Where a browser signs out at the provider of its session too; undefined where that cannot be. */
  exitOf(leaving: Leaving): Promise<string | undefined>
  /** The provider says that somebody signed out there. Throws `identity.logout_refused` or `identity.provider_unknown`. */
  loggedOut(name: string, logoutToken: string, visitor: Visitor): Promise<void>
  /** What was given, renewed there. Throws `identity.provider_trouble`. */
  refresh(provider: IdentityProvider, given: Given): Promise<Renewed>
}

export type Leaving = {
  readonly session: BrowserSession
  readonly origin: string
  /** So that the provider need not ask who it is. */
  readonly idToken: string | undefined
}

export type AtProviders = Ways & {
  /** Those that sign people in, in order of name. */
  list(): readonly IdentityProvider[]
  /** The one whose people have addresses of this domain. */
  ofAddress(email: string): IdentityProvider | undefined
}

export type ProviderParts = {
  readonly room: SignInRoom
  readonly providers: Providers
  readonly log: Log
  admit(provider: IdentityProvider, claims: JsonObject, via: Via): Promise<Admitted>
}

/** The library is loaded when the first one comes: most commands never need it. */
export function openAtProviders(parts: ProviderParts): AtProviders {
  const list = () => parts.providers.list().filter(({ use }) => use.signIn)
  let loading: Promise<Ways> | undefined
  const ways = () => {
    loading ??= import('./ways.ts').then(({ openWays }) => openWays(parts, list))
    return loading
  }
  return {
    list,
    ofAddress(email) {
      const domain = email.split('@').at(-1)?.toLowerCase() ?? ''
      return list().find(({ domains }) => domains.includes(domain))
    },
    begin: async (name, beginning) => (await ways()).begin(name, beginning),
    finish: async (returning, arriving) => (await ways()).finish(returning, arriving),
    exitOf: async leaving => (await ways()).exitOf(leaving),
    refresh: async (provider, given) => (await ways()).refresh(provider, given),
    loggedOut: async (name, logoutToken, visitor) => (await ways()).loggedOut(name, logoutToken, visitor),
  }
}
