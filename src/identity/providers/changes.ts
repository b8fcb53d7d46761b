/** Changes of identity providers, inside the transaction of whoever makes them. */
import { fail } from '../../foundation/errors.ts'
import { newId } from '../../foundation/id.ts'
import { deleteTokensOfProvider } from '../provider-tokens/provider-tokens-table.ts'
import { deleteSessionsOf, deleteSessionsOfProvider } from '../sign-in-table.ts'
import { accounts, type From } from '../table.ts'
import { alterUser } from '../users.ts'
import {
  deleteProvider,
  insertProvider,
  type ProviderRow,
  providerByIssuer,
  providerByName,
  providerRows,
  updateProvider,
  usersOfProvider,
} from './provider-table.ts'
import { type StoredProvider, settingsOf } from './stored.ts'

export async function knownProvider(from: From, name: string): Promise<ProviderRow> {
  const row = await providerByName(from, name)
  return row ?? fail('identity.provider_unknown', { why: `There is no identity provider ${name}.` })
}

/** Creates the provider or makes it exactly this. Whoever came by its issuer before, comes by it again. */
export async function putProvider(tx: From, provider: StoredProvider, now: number): Promise<void> {
  await checkAlone(tx, provider)
  const { issuer, name, clientSecret: _, ...settings } = provider.input
  const written = {
    name,
    issuer,
    settings_json: JSON.stringify(settings),
    client_secret_json: provider.secret === undefined ? null : JSON.stringify(provider.secret),
    updated_at: now,
    removed_at: null,
  }
  const present = await providerByIssuer(tx, issuer)
  if (present !== undefined && settings.bound !== undefined) await checkBindable(tx, present.id)
  if (present === undefined)
    return insertProvider(tx, { id: newId(now), version: 1, created_at: now, ...written })
  if (settings.onBehalf === undefined) await deleteTokensOfProvider(tx, present.id)
  await updateProvider(tx, present.id, { ...written, version: present.version + 1 })
}

/** One provider for an issuer, a domain and an account that provisions: or it would be chance who somebody is, and whose. */
async function checkAlone(
  tx: From,
  { input: { name, issuer, domains, scim } }: StoredProvider,
): Promise<void> {
  for (const row of await providerRows(tx)) {
    if (row.removed_at !== null || row.name === name) continue
    if (row.issuer === issuer) fail('http.conflict', { why: `${row.name} has the issuer ${issuer}.` })
    const settings = settingsOf(row)
    if (scim !== undefined && settings.scim?.account === scim.account)
      fail('http.conflict', {
        why: `The account ${scim.account} provisions for ${row.name}.`,
        fix: 'Give each identity provider an account of its own.',
      })
    const twice = settings.domains.find(domain => domains.includes(domain))
    if (twice === undefined) continue
    fail('http.conflict', {
      why: `${row.name} vouches for addresses of ${twice}.`,
      fix: `Take the domain from ${row.name} first.`,
    })
  }
}

/** People within bounds are members and own nothing, so that nothing of theirs reaches further than they do. */
async function checkBindable(tx: From, providerId: string): Promise<void> {
  const owners = new Set((await accounts(tx)).map(({ owner_id }) => owner_id))
  for (const { id, email, role } of await usersOfProvider(tx, providerId)) {
    if (role !== 'member')
      fail('http.conflict', {
        why: `${email} is ${role}.`,
        fix: 'People within bounds are members: change the role first.',
      })
    if (owners.has(id))
      fail('http.conflict', {
        why: `${email} owns virtual accounts.`,
        fix: 'Give these accounts another owner first.',
      })
  }
}

export type Removing = {
  readonly now: number /** What becomes of its people, if there are any. */
  readonly people?: 'disable' | undefined
}

export async function removeProvider(tx: From, name: string, { now, people }: Removing): Promise<void> {
  const { id } = await knownProvider(tx, name)
  const users = await usersOfProvider(tx, id)
  if (users.length === 0) return deleteProvider(tx, id)
  if (people !== 'disable')
    fail('http.conflict', {
      why: `${users.length} of the people here come from ${name}.`,
      fix: `Remove them first, or disable them all with it: gatehouse identity-provider remove ${name} --disable-people.`,
    })
  for (const user of users) {
    if (user.disabled_at === null) await alterUser(tx, user, { disabled_at: now })
    await deleteSessionsOf(tx, user.id)
  }
  await deleteSessionsOfProvider(tx, id)
  await updateProvider(tx, id, { name: id, client_secret_json: null, removed_at: now, updated_at: now })
}

/** Refuses to remove a team that is all that people of a provider are. */
export async function keepBoundTeam(from: From, team: string): Promise<void> {
  for (const row of await providerRows(from)) {
    const { bound } = settingsOf(row)
    if (bound === undefined || !('team' in bound) || bound.team !== team) continue
    fail('http.conflict', {
      why: `The people of the identity provider ${row.removed_at === null ? row.name : row.issuer} are bound to the team ${team}.`,
      fix: 'Bind them to another team first, or remove these people and their identity provider.',
    })
  }
}
