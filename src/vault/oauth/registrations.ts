/** What the gateway registered itself as, kept sealed: made once for a server, an issuer and an address of its own, and taken back in the end. */
import { z } from 'zod'
import type { Clock } from '../../foundation/clock.ts'
import type { From } from '../credentials/credential-table.ts'
import type { Sealer } from '../seal.ts'
import { ask, wayTo } from './ask.ts'
import { type Registration, register } from './client.ts'
import {
  type ClientPlace,
  forgetClient,
  type KeptClient,
  keepClient,
  noteUse,
  readClient,
} from './client-table.ts'
import type { Authority, Target } from './discover.ts'
import { clientAuthentications } from './settings.ts'

export type RegistrationParts = { readonly kysely: From; readonly seals: Sealer; readonly clock: Clock }

export type Registrations = {
  /** The one of this place; a new one where there is none, or it is about to end. Throws `vault.provider_trouble`. */
  of(place: ClientPlace, at: { target: Target; authority: Authority }): Promise<Registration>
  /** The one of this name, whatever the address of the gateway was when it was made. */
  named(client: { serverId: string; issuer: string; clientId: string }): Promise<Registration | undefined>
}

const kept: z.ZodType<Registration> = z.object({
  clientId: z.string(),
  secret: z.string().optional(),
  authentication: z.enum(clientAuthentications),
  expiresAt: z.number().nullable(),
  tokenOrigin: z.string().optional(),
  managedAt: z.string().optional(),
  managedWith: z.string().optional(),
  managedWithin: z.union([z.boolean(), z.array(z.string())]).optional(),
})

const marginMilliseconds = 60_000
/** Its use is noted no more often than this. */
const noteMilliseconds = 3_600_000

export function openRegistrations(parts: RegistrationParts): Registrations {
  const { kysely, seals, clock } = parts
  // However many come at once, the gateway registers itself once.
  const underWay = new Map<string, Promise<Registration>>()

  async function opened(client: KeptClient | undefined): Promise<Registration | undefined> {
    if (client === undefined) return undefined
    const now = clock.now()
    if (client.expiresAt !== null && client.expiresAt - marginMilliseconds <= now) {
      await forgetClient(kysely, client)
      return undefined
    }
    if (now - client.usedAt > noteMilliseconds) await noteUse(kysely, client, now)
    return openRegistration(seals, client)
  }

  const of: Registrations['of'] = async (place, { target, authority }) => {
    const known = await opened(await readClient(kysely, place))
    if (known !== undefined) return known
    const now = clock.now()
    const made = await register(target, authority, { redirectUri: place.redirectUri, now })
    const sealed = seals.seal(JSON.stringify(made), clientPlace(place))
    const { clientId, expiresAt } = made
    if (await keepClient(kysely, { ...place, clientId, sealed, expiresAt, usedAt: now })) return made
    const theirs = await opened(await readClient(kysely, place))
    if (theirs === undefined) return made
    // Another process was first: nobody will know this one, and where it is not taken back it harms nobody either.
    await unregister(made).catch(() => undefined)
    return theirs
  }

  return {
    of(place, at) {
      const key = JSON.stringify(clientPlace(place))
      const registering = underWay.get(key) ?? of(place, at).finally(() => underWay.delete(key))
      underWay.set(key, registering)
      return registering
    },
    named: async client => opened(await readClient(kysely, client)),
  }
}

/** Where what was registered is sealed for. */
export function clientPlace({ serverId, issuer, redirectUri }: ClientPlace): readonly string[] {
  return ['upstream_clients', serverId, 'sealed', issuer, redirectUri, '1']
}

/** Throws `vault.unsealable`. */
export function openRegistration(seals: Sealer, client: KeptClient): Registration {
  return kept.parse(JSON.parse(seals.open(client.sealed, clientPlace(client))))
}

/** Tells the authorization server that the gateway is no client of it any more, where it said how (RFC 7592, 2.3). Throws `vault.provider_trouble`. */
export async function unregister({ managedAt, managedWith, managedWithin }: Registration): Promise<void> {
  if (managedAt === undefined || managedWith === undefined) return
  const init = { method: 'DELETE', headers: { authorization: `Bearer ${managedWith}` } }
  await ask(wayTo(managedWithin ?? false), managedAt, init, 'registration')
}
