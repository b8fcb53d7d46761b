/** Is a stored credential for the server as it is now? One that was moved, or sends tokens elsewhere, must not be shown what was for another. */
import type { Upstream } from '../../upstreams/index.ts'
import type { Stored } from '../auth-types/auth-type.ts'
import type { Credential } from './credential.ts'
import type { Stored as StoredCredential } from './credential-table.ts'
import { connectNeeded } from './needed.ts'

type Place = { readonly upstream: Upstream; readonly stored: Stored }

/** Everywhere the credential goes: kept with it, and compared letter by letter, for whoever manages the server may change each of them. */
export function boundTo({ upstream: { transport }, stored: { oauth, onBehalf } }: Place): string {
  const { issuer, tokenUrl, revocationUrl, resource } = oauth ?? {}
  const url = transport.kind === 'stdio' ? transport.kind : transport.url
  if (onBehalf !== undefined) return JSON.stringify([url, onBehalf.provider, ...onBehalf.boundTo])
  return JSON.stringify([url, issuer ?? null, tokenUrl ?? null, revocationUrl ?? null, resource ?? null])
}

export function fits(place: Place, credential: Pick<Credential, 'kind' | 'boundTo'>): boolean {
  const { oauth, onBehalf } = place.stored
  const isOfKind = (oauth === undefined && onBehalf === undefined) === (credential.kind === 'values')
  return isOfKind && credential.boundTo === boundTo(place)
}

/** What is there now may be for where the server was, or will be. Throws `vault.connect_needed`. */
export function fitting(place: Place, stored: StoredCredential): StoredCredential {
  if (!fits(place, stored.credential)) throw connectNeeded(place.upstream, 'moved')
  return stored
}
