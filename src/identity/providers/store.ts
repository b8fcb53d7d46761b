import { fail } from '../../foundation/errors.ts'
import { Secret } from '../../foundation/secret.ts'
import type { Seals } from '../flows.ts'
import type { From } from '../table.ts'
import { type IdentityProvider, resolveProvider } from './provider.ts'
import { type ProviderRow, providerRows } from './provider-table.ts'
import { secretContext, settingsOf, storedSecret } from './stored.ts'

/** The identity providers as they were last read. Every look is at memory. */
export type Providers = {
  /** In order of name. */
  list(): readonly IdentityProvider[]
  byName(name: string): IdentityProvider | undefined
  /** Of exactly this issuer. */
  byIssuer(issuer: string): IdentityProvider | undefined
  /** Undefined for a public client, and for one that only takes bearer tokens. Throws `vault.unsealable`. */
  clientSecret(provider: IdentityProvider): Promise<Secret | undefined>
}

export type ProviderStore = Providers & {
  /** Reads them anew; of what did not change, the objects stay the same. */
  read(): Promise<void>
}

type Held = { readonly provider: IdentityProvider; readonly sealed: string | undefined }

export async function openProviders(kysely: From, seals: Seals): Promise<ProviderStore> {
  let held = new Map<string, Held>()
  let byName = new Map<string, IdentityProvider>()
  let byIssuer = new Map<string, IdentityProvider>()
  const read = async () => {
    const rows = (await providerRows(kysely)).filter(row => row.removed_at === null)
    held = new Map(rows.map(row => [row.id, sameOr(held.get(row.id), row)]))
    const providers = [...held.values()].map(({ provider }) => provider)
    byName = new Map(providers.map(provider => [provider.name, provider]))
    byIssuer = new Map(providers.map(provider => [provider.issuer, provider]))
  }
  await read()
  return {
    list: () => [...byName.values()],
    byName: name => byName.get(name),
    byIssuer: issuer => byIssuer.get(issuer),
    async clientSecret({ id, issuer }) {
      const { sealed } = held.get(id) ?? fail('identity.provider_unknown')
      return sealed === undefined ? undefined : new Secret(await seals.open(sealed, secretContext(issuer)))
    },
    read,
  }
}

function sameOr(before: Held | undefined, row: ProviderRow): Held {
  return before?.provider.version === row.version ? before : heldOf(row)
}

function heldOf(row: ProviderRow): Held {
  return { provider: providerOf(row), sealed: storedSecret(row)?.sealed }
}

export function providerOf(row: ProviderRow): IdentityProvider {
  const { id, name, issuer, version } = row
  return resolveProvider({ id, name, issuer, version }, settingsOf(row))
}
