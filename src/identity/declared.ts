/** People as the manifest declares them. These work inside a transaction of the manifest, which audits the whole. */
import type { Role } from '../foundation/route.ts'
import { ownerOf, putAccount, removeAccount } from './accounts.ts'
import { type Credentials, credentialsOf } from './machines/credentials.ts'
import {
  type OAuthClientInput,
  putCompanyClient,
  readCompanyClients,
  removeClient,
} from './oauth/company-clients.ts'
import { freeOfBounds } from './providers/bounds.ts'
import { putProvider, removeProvider } from './providers/changes.ts'
import type { ProviderInput } from './providers/provider.ts'
import { type Composing, composeProvider, readProviders, type StoredProvider } from './providers/stored.ts'
import type { Room } from './room.ts'
import { accounts, type From, users } from './table.ts'
import { putTeam, removeTeam, teamsWithMembers } from './teams.ts'
import { putUser, removeUser } from './users.ts'

export type DeclaredUser = {
  readonly email: string
  readonly role: Role
  /** An identity provider brought them, and may again: no manifest has to name them. */
  readonly isProvisioned?: true
}
export type DeclaredTeam = { readonly name: string; readonly members: readonly string[] }
/** `owner` is `user:<email>`. */
export type DeclaredAccount = {
  readonly name: string
  readonly owner?: string | undefined
  readonly credentials?: Credentials | undefined
}

export type DeclaredPeople = {
  readonly identityProviders: readonly StoredProvider[]
  /** Not those who stay within the bounds of a provider: they are its own. */
  readonly users: readonly DeclaredUser[]
  readonly teams: readonly DeclaredTeam[]
  readonly virtualAccounts: readonly DeclaredAccount[]
  /** Those of the company. */
  readonly oauthClients: readonly OAuthClientInput[]
}

/**
 * The verbs of the manifest on this room. `put...` creates or changes, `remove...` throws `identity.unknown` when there is
 * nothing to remove. Order matters: identity providers, then users, then teams and accounts; to remove, the other way round. Call `refresh` after
 * the transaction.
 */
export type Declared = {
  /** An identity provider as it would be stored. Throws `http.bad_request`, `http.conflict` and `vault.secret_missing`. */
  composeProvider(input: ProviderInput, how: Composing): StoredProvider
  putProvider(tx: From, provider: StoredProvider): Promise<void>
  removeProvider(tx: From, name: string): Promise<void>
  /** Everything, sorted by name. */
  readDeclared(from?: From): Promise<DeclaredPeople>
  putUser(tx: From, user: DeclaredUser): Promise<void>
  putTeam(tx: From, team: DeclaredTeam): Promise<void>
  putAccount(tx: From, account: DeclaredAccount): Promise<void>
  putOAuthClient(tx: From, client: OAuthClientInput): Promise<void>
  removeUser(tx: From, email: string): Promise<void>
  removeTeam(tx: From, name: string): Promise<void>
  removeAccount(tx: From, name: string): Promise<void>
  removeOAuthClient(tx: From, name: string): Promise<void>
}

export function declared(room: Pick<Room, 'database' | 'clock' | 'namers' | 'sealSecret'>): Declared {
  const { database, clock } = room
  return {
    composeProvider: (input, how) => composeProvider(room.sealSecret, input, how),
    putProvider: (tx, provider) => putProvider(tx, provider, clock.now()),
    removeProvider: (tx, name) => removeProvider(tx, name, { now: clock.now() }),
    readDeclared: (from = database.kysely) => readDeclared(from),
    putUser: (tx, user) => putUser(tx, user, clock.now()),
    putTeam: (tx, team) => putTeam(tx, team, clock.now()),
    putAccount: (tx, account) => putAccount(tx, account, clock.now()),
    putOAuthClient: (tx, client) => putCompanyClient(tx, client, clock.now()),
    removeOAuthClient: removeClient,
    removeUser: (tx, email) => removeUser(room, tx, email),
    removeTeam: (tx, name) => removeTeam(room, tx, name),
    removeAccount: (tx, name) => removeAccount(room, tx, name),
  }
}

async function readDeclared(from: From): Promise<DeclaredPeople> {
  const isFree = await freeOfBounds(from)
  const people = (await users(from)).filter(({ provider_id }) => isFree(provider_id))
  const teams = await teamsWithMembers(from)
  const virtualAccounts = await accounts(from)
  const oauthClients = await readCompanyClients(from)
  return {
    identityProviders: await readProviders(from),
    users: people.map(({ email, role, provider_id }) => ({
      ...{ email, role },
      ...(provider_id !== null && { isProvisioned: true }),
    })),
    teams: teams.map(({ name, byHand }) => ({ name, members: byHand })),
    oauthClients,
    virtualAccounts: virtualAccounts.map(account => {
      const { name, credentials_json } = account
      const owner = ownerOf(account)
      const credentials = credentials_json === null ? undefined : credentialsOf(credentials_json)
      return { name, ...(owner !== null && { owner }), ...(credentials && { credentials }) }
    }),
  }
}
