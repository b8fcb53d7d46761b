/** The gateway as OAuth client of upstreams: where their tokens come from, and who it is there. */
import type { Clock } from '../../foundation/clock.ts'
import type { Upstream } from '../../upstreams/index.ts'
import { trouble } from './ask.ts'
import type { Challenge } from './challenge.ts'
import {
  type Client,
  configuredClient,
  documentedClient,
  type Registration,
  registeredClient,
  type Self,
} from './client.ts'
import { forgetClient } from './client-table.ts'
import { type Authority, discover, type Target } from './discover.ts'
import { openRegistrations, type RegistrationParts } from './registrations.ts'
import type { OAuthSettings } from './settings.ts'
import { type Expected, requestTokens, type Tokens } from './token-request.ts'

export type OAuthParts = RegistrationParts & { self(): Self }

export type Known = { readonly target: Target; readonly authority: Authority; readonly client: Client }

export type OAuth = {
  /** Where tokens of this server come from; remembered for a while, found anew after a challenge, but not every few moments. Throws `vault.provider_trouble`. */
  authority(upstream: Upstream, settings: OAuthSettings, challenge?: Challenge): Promise<Authority>
  /** The one at this very address, remembered for as long as the key is. Throws `vault.provider_trouble`. */
  authorityAt(key: object, target: Target): Promise<Authority>
  /**
   * Who the gateway is there; registers it where that is the way. Where a name is given, the one that has it while it is known: what was
   * connected before the gateway had another address goes on with who it was then. Throws `vault.provider_trouble`.
   */
  client(upstream: Upstream, settings: OAuthSettings, authority: Authority, named?: string): Promise<Client>
  /** Throws `RefusedGrant` and `vault.provider_trouble`. */
  tokens(known: Known, parameters: Readonly<Record<string, string>>, expected?: Expected): Promise<Tokens>
  /** The registration is gone there: the next use makes another. */
  forget(upstream: Upstream, authority: Authority, client: Client): Promise<void>
}

/** What an authorization server says of itself holds this long. */
const goodMilliseconds = 10 * 60_000
/** Many people may be refused at once, and are all told the same. */
const pauseMilliseconds = 5000

type Found = {
  readonly at: number
  readonly authority: Promise<Authority>
  /** It was looked up after a challenge. */
  readonly isAnew: boolean
}

export function openOAuth(parts: OAuthParts): OAuth {
  const { clock } = parts
  const find = openFinding(clock)
  const registrations = openRegistrations(parts)
  return {
    authority: (upstream, settings, challenge) =>
      find(upstream, () => targetOf(upstream, settings), challenge),
    authorityAt: (key, target) => find(key, () => target),
    async client(upstream, settings, authority, named) {
      const self = parts.self()
      const target = targetOf(upstream, settings)
      const known = configuredClient(target, authority) ?? documentedClient(self, authority)
      if (known !== undefined && (named === undefined || known.id === named)) return known
      const place = { serverId: upstream.id, issuer: authority.issuer }
      const kept = named === undefined ? undefined : await registrations.named({ ...place, clientId: named })
      if (kept !== undefined) return registeredAt(authority, settings, kept)
      const at = { ...place, redirectUri: self.redirectUri }
      return known ?? registeredAt(authority, settings, await registrations.of(at, { target, authority }))
    },
    tokens: (known, parameters, expected) =>
      requestTokens({ ...known, now: clock.now() }, parameters, expected),
    async forget({ id }, { issuer }, client) {
      await forgetClient(parts.kysely, { serverId: id, issuer, clientId: client.id })
    },
  }
}

/** What the gateway is called there, and its secret, are for the token endpoint that it registered itself for, whatever is written by hand since. */
function registeredAt(
  { tokenEndpoint }: Authority,
  { tokenUrl }: OAuthSettings,
  registration: Registration,
): Client {
  const { tokenOrigin } = registration
  const isMoved =
    tokenUrl !== undefined && tokenOrigin !== undefined && new URL(tokenEndpoint).origin !== tokenOrigin
  return isMoved
    ? trouble('The gateway registered itself for another token endpoint. Set clientId for this one.')
    : registeredClient(registration)
}

/** A changed server is another object, so what was found for the old one goes with it. */
function openFinding(clock: Clock) {
  const found = new WeakMap<object, Found>()
  return (key: object, target: () => Target, challenge?: Challenge): Promise<Authority> => {
    const known = found.get(key)
    const isAnew = challenge !== undefined
    const goodFor = isAnew ? pauseMilliseconds : goodMilliseconds
    if (known !== undefined && (known.isAnew || !isAnew) && clock.elapsed() - known.at < goodFor)
      return known.authority
    const authority = discover(target(), challenge)
    const entry = { at: clock.elapsed(), authority, isAnew }
    found.set(key, entry)
    authority.catch(() => {
      if (found.get(key) === entry) found.delete(key)
    })
    return authority
  }
}

export function targetOf({ transport }: Upstream, settings: OAuthSettings): Target {
  if (transport.kind === 'stdio') return trouble('A process has no authorization server.')
  return { url: transport.url, allowPrivateNetwork: transport.allowPrivateNetwork, settings }
}
