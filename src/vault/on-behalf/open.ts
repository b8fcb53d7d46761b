/** Servers that are called with what a caller's own identity provider gave for them. */
import { ownEvent } from '../../audit/index.ts'
import { newId } from '../../foundation/id.ts'
import type { Secret } from '../../foundation/secret.ts'
import type { Identity, IdentityProvider } from '../../identity/index.ts'
import type { Asker, Credentials, Upstream } from '../../upstreams/index.ts'
import type { OnBehalf, PassThrough } from '../auth-types/auth-type.ts'
import { type Credential, placeOf } from '../credentials/credential.ts'
import { credentialOf, forgiveTrouble, makeRoom, type Stored } from '../credentials/credential-table.ts'
import type { Opened } from '../credentials/custody.ts'
import { boundTo } from '../credentials/fits.ts'
import { connectNeeded, gatewayRefused } from '../credentials/needed.ts'
import { contentOf, type Got, type RenewParts } from '../credentials/renew.ts'
import { trouble } from '../oauth/ask.ts'
import { RefusedGrant } from '../oauth/client.ts'
import { openCounters } from './counters.ts'
import { notKept, personNeeded, unknownProvider } from './errors.ts'
import { pass } from './pass.ts'

export type OnBehalfOf = {
  /** What the owner has there so far: nothing, where nothing was got yet. */
  room(opened: Opened, owner: string): Promise<Stored>
  /** Gets it with the token of the asker, who is a person. */
  obtain(opened: Opened, asker: Asker, present: Credential): Promise<Got>
  /** Has the asker signed in since it was refused? Then it is as if it never was. */
  forgiven(opened: Opened, asker: Asker, refused: Credential): Promise<boolean>
  /** Did it come of a sign-in that is over, wherever they signed out, or that another took the place of? Throws as `provider` does. */
  isOver(way: OnBehalf, stored: Stored): Promise<boolean>
  /** Could something be got for this person now? Nobody is asked. Undefined where nothing of theirs is kept. */
  isReady(way: OnBehalf, userId: string): Promise<{ readonly since: number } | undefined>
  /** The caller's own token. Throws `vault.pass_through_refused`. */
  pass(upstream: Upstream, way: PassThrough, asker: Asker): Credentials
  /** Throws `vault.provider_trouble` for one that is not there. */
  provider(name: string): IdentityProvider
}

export type OnBehalfParts = RenewParts & {
  readonly identity: Pick<Identity, 'providers' | 'providerTokens'>
}

/** Where nobody says when something ends, it is got anew after this long. */
const shortMilliseconds = 3_600_000

export function openOnBehalf(parts: OnBehalfParts): OnBehalfOf {
  const { database, clock, seals, identity } = parts
  const provider = (name: string) => identity.providers.byName(name) ?? unknownProvider(name)
  const isReady: OnBehalfOf['isReady'] = async (way, userId) => {
    const signedIn = await identity.providerTokens.signedIn(userId, provider(way.provider), way.subject)
    return signedIn?.isUsable === true ? { since: signedIn.at } : undefined
  }
  return {
    provider,
    isReady,
    async isOver(way, stored) {
      const at = provider(way.provider)
      const { signedInAt } = contentOf(seals, stored)
      if (signedInAt === undefined) return false
      const signedIn = await identity.providerTokens.signedIn(stored.credential.owner, at, way.subject)
      return at.onBehalf === undefined || signedIn?.at !== signedInAt
    },
    async room(opened, owner) {
      const { id: serverId } = opened.upstream
      const now = clock.now()
      const empty: Credential = {
        ...{ id: newId(now), serverId, owner, kind: 'tokens', issuer: null, resource: null, clientId: null },
        ...{ boundTo: boundTo(opened), scopes: [], account: null, expiresAt: 0, isRefreshable: true },
        ...{ trouble: null, version: 1, refreshedAt: null, createdAt: now, updatedAt: now },
      }
      await makeRoom(database.kysely, { credential: empty, sealed: seals.seal('{}', placeOf(empty)) })
      const stored = await credentialOf(database.kysely, { serverId, owner })
      return stored ?? trouble('It was taken back at this moment.')
    },
    obtain: (opened, asker, present) => obtain(parts, { opened, asker, present, provider }),
    async forgiven({ stored: { onBehalf } }, asker, refused) {
      if (onBehalf === undefined) return false
      const { presented } = asker
      const isTheirs =
        presented?.issuer === provider(onBehalf.provider).issuer && onBehalf.subject === 'access'
      const brought = isTheirs ? presented.issuedAt : 0
      const since = Math.max(brought, (await isReady(onBehalf, asker.id))?.since ?? 0)
      if (since <= refused.updatedAt) return false
      await forgiveTrouble(database.kysely, refused)
      // Or somebody else was first: either way it is looked at again.
      return true
    },
    pass: (upstream, way, asker) => pass(upstream, { provider: provider(way.provider), way, asker, clock }),
  }
}

type Obtaining = {
  readonly opened: Opened
  readonly asker: Asker
  readonly present: Credential
  provider(name: string): IdentityProvider
}

async function obtain(parts: OnBehalfParts, obtaining: Obtaining): Promise<Got> {
  const { opened, asker, present } = obtaining
  const { upstream, stored } = opened
  const way = stored.onBehalf
  if (way === undefined || asker.kind !== 'user') throw personNeeded(upstream)
  const provider = obtaining.provider(way.provider)
  const { subject, signedInAt } = await subjectOf(parts, { upstream, way, asker, provider })
  const counters = openCounters(
    { oauth: parts.oauth, providers: parts.identity.providers },
    { upstream, provider },
  )
  const { tokens, at } = await way.obtain(subject, counters).catch((error: unknown) => {
    throw seen(upstream, error)
  })
  const now = parts.clock.now()
  const { issuer, resource = null, scopes } = at.authority
  if (present.refreshedAt === null) await note(parts, { upstream, provider, present, issuer })
  return {
    tokens,
    signedInAt,
    about: {
      ...{ issuer, resource, clientId: at.clientId, scopes: tokens.scopes ?? scopes },
      expiresAt: tokens.expiresAt ?? now + shortMilliseconds,
    },
  }
}

type Asking = {
  readonly upstream: Upstream
  readonly way: OnBehalf
  readonly asker: Asker
  readonly provider: IdentityProvider
}

type Subject = { readonly subject: Secret; readonly signedInAt: number | undefined }

/** The very token that the call came with, where it is one of the provider; else what their sign-in left here. */
async function subjectOf(
  { identity, clock }: OnBehalfParts,
  { upstream, way, asker, provider }: Asking,
): Promise<Subject> {
  const { presented } = asker
  const isTheirs = presented?.issuer === provider.issuer && presented.expiresAt > clock.now()
  if (isTheirs && way.subject === 'access') return { subject: presented.token, signedInAt: undefined }
  if (provider.onBehalf === undefined) throw notKept(upstream, provider)
  const kept = await identity.providerTokens.of(asker.id, provider, way.subject)
  if (kept === undefined) throw connectNeeded(upstream, 'session')
  return { subject: kept.token, signedInAt: kept.signedInAt }
}

/** What a new sign-in of the person may repair (RFC 6749, 5.2; RFC 8693, 2.2.2; OpenID Connect Core, 3.1.2.6). */
const ofPerson = new Set([
  'invalid_grant',
  'invalid_request',
  'invalid_token',
  'interaction_required',
  'login_required',
  'consent_required',
])

function seen(upstream: Upstream, error: unknown): unknown {
  const isOurs = error instanceof RefusedGrant && !ofPerson.has(error.reason)
  return isOurs ? gatewayRefused(upstream, error.reason) : error
}

type First = {
  readonly upstream: Upstream
  readonly provider: IdentityProvider
  readonly present: Credential
  readonly issuer: string
}

/** Once, when somebody first comes to a server by it: what is got again later is the same. */
async function note({ audit }: OnBehalfParts, { upstream, provider, present, issuer }: First): Promise<void> {
  const { id: connection, owner } = present
  await audit.recorded(
    ownEvent({
      action: 'vault.exchange',
      target: `${upstream.group}/${upstream.name}`,
      detail: { connection, owner, identityProvider: provider.name, issuer },
    }),
  )
}
