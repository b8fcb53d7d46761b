/** The gateway as OAuth client of upstreams: where their tokens come from, and who it is there. */
import { z } from 'zod'
import type { Clock } from '../../foundation/clock.ts'
import type { Upstream } from '../../upstreams/index.ts'
import type { From } from '../credentials/credential-table.ts'
import type { Sealer } from '../seal.ts'
import { trouble } from './ask.ts'
import type { Challenge } from './challenge.ts'
import {
  type Client,
  configuredClient,
  documentedClient,
  type Registration,
  register,
  registeredClient,
  type Self,
} from './client.ts'
import { type ClientPlace, forgetClient, keepClient, readClient } from './client-table.ts'
import { type Authority, discover, type Target } from './discover.ts'
import { clientAuthentications, type OAuthSettings } from './settings.ts'
import { type Expected, requestTokens, type Tokens } from './token-request.ts'

export type OAuthParts = {
  readonly kysely: From
  readonly seals: Sealer
  readonly clock: Clock
  self(): Self
}

export type Known = { readonly target: Target; readonly authority: Authority; readonly client: Client }

export type OAuth = {
  /** Where tokens of this server come from; remembered for a while, found anew after a challenge. Throws `vault.provider_trouble`. */
  authority(upstream: Upstream, settings: OAuthSettings, challenge?: Challenge): Promise<Authority>
  /** The one at this very address, remembered for as long as the key is. Throws `vault.provider_trouble`. */
  authorityAt(key: object, target: Target): Promise<Authority>
  /** Who the gateway is there; registers it where that is the way. Throws `vault.provider_trouble`. */
  client(upstream: Upstream, settings: OAuthSettings, authority: Authority): Promise<Client>
  /** Throws `RefusedGrant` and `vault.provider_trouble`. */
  tokens(known: Known, parameters: Readonly<Record<string, string>>, expected?: Expected): Promise<Tokens>
  /** The registration is gone there: the next use makes another. */
  forget(upstream: Upstream, authority: Authority, client: Client): Promise<void>
}

/** What an authorization server says of itself holds this long. */
const goodMilliseconds = 10 * 60_000

type Found = { readonly at: number; readonly authority: Promise<Authority> }

export function openOAuth(parts: OAuthParts): OAuth {
  const { clock } = parts
  const find = openFinding(clock)
  return {
    authority: (upstream, settings, challenge) =>
      find(upstream, () => targetOf(upstream, settings), challenge),
    authorityAt: (key, target) => find(key, () => target),
    async client(upstream, settings, authority) {
      const self = parts.self()
      const target = targetOf(upstream, settings)
      return (
        configuredClient(target, authority) ??
        documentedClient(self, authority) ??
        registeredClient(await registration(parts, { upstream, target, authority, self }))
      )
    },
    tokens: (known, parameters, expected) =>
      requestTokens({ ...known, now: clock.now() }, parameters, expected),
    forget: ({ id }, { issuer }, client) =>
      forgetClient(parts.kysely, { serverId: id, issuer, clientId: client.id }),
  }
}

/** A changed server is another object, so what was found for the old one goes with it. */
function openFinding(clock: Clock) {
  const found = new WeakMap<object, Found>()
  return (key: object, target: () => Target, challenge?: Challenge): Promise<Authority> => {
    const known = found.get(key)
    if (known !== undefined && challenge === undefined && clock.elapsed() - known.at < goodMilliseconds)
      return known.authority
    const authority = discover(target(), challenge)
    const entry = { at: clock.elapsed(), authority }
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

type Registering = {
  readonly upstream: Upstream
  readonly target: Target
  readonly authority: Authority
  readonly self: Self
}

const kept: z.ZodType<Registration> = z.object({
  clientId: z.string(),
  secret: z.string().optional(),
  authentication: z.enum(clientAuthentications),
  expiresAt: z.number().nullable(),
  managedAt: z.string().optional(),
  managedWith: z.string().optional(),
})

/** The one that is kept; a new one where there is none, or it is about to end. */
async function registration(parts: OAuthParts, registering: Registering): Promise<Registration> {
  const { upstream, target, authority, self } = registering
  const place = { serverId: upstream.id, issuer: authority.issuer, redirectUri: self.redirectUri }
  const known = await stored(parts, place)
  if (known !== undefined) return known
  const now = parts.clock.now()
  const made = await register(target, authority, { redirectUri: self.redirectUri, now })
  const sealed = parts.seals.seal(JSON.stringify(made), clientPlace(place))
  const { clientId, expiresAt } = made
  if (await keepClient(parts.kysely, place, { clientId, sealed, expiresAt, now })) return made
  return (await stored(parts, place)) ?? made
}

const marginMilliseconds = 60_000

async function stored(
  { kysely, seals, clock }: OAuthParts,
  place: ClientPlace,
): Promise<Registration | undefined> {
  const row = await readClient(kysely, place)
  if (row === undefined) return undefined
  const known = kept.parse(JSON.parse(seals.open(row.sealed, clientPlace(place))))
  if (row.expiresAt === null || row.expiresAt - marginMilliseconds > clock.now()) return known
  await forgetClient(kysely, { ...place, clientId: known.clientId })
  return undefined
}

/** Where what was registered is sealed for. */
export function clientPlace({ serverId, issuer, redirectUri }: ClientPlace): readonly string[] {
  return ['upstream_clients', serverId, 'sealed', issuer, redirectUri, '1']
}
