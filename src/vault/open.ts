import { type Access, managesAll } from '../access/index.ts'
import type { AuditRecord } from '../audit/index.ts'
import type { Database } from '../database/index.ts'
import type { Addresses } from '../foundation/addresses.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import type { Handles } from '../foundation/handles.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { Log } from '../foundation/log.ts'
import type { MasterKey } from '../foundation/master-key.ts'
import type { Caller, Route } from '../foundation/route.ts'
import type { Identity } from '../identity/index.ts'
import type { Register, Upstream } from '../upstreams/index.ts'
import { type Connect, type ConnectParts, openConnect } from './connect/connect.ts'
import type { By } from './connect/disconnect.ts'
import { type Links, openLinks } from './connect/link.ts'
import { connectionsFor } from './connect/lists.ts'
import { connectionRoutes, takeBack } from './connect/routes.ts'
import { openSweep } from './connect/sweep.ts'
import { openClientSweep } from './connect/sweep-clients.ts'
import type { Connection } from './connect/view.ts'
import { type Awaited, openWaiting } from './connect/wait.ts'
import { deleteOfOwner } from './credentials/credential-table.ts'
import { openCustody } from './credentials/custody.ts'
import { openOAuth } from './oauth/open.ts'
import { openOnBehalf } from './on-behalf/open.ts'
import type { Sealer } from './seal.ts'
import { openSelf } from './self.ts'
import { type Equip, openEquip } from './vault.ts'

export type Vault = Equip & {
  /** How people get accounts at servers. */
  readonly connect: Connect
  /** True as soon as the account is connected, in whichever process; false when it is not within that time. */
  whenConnected(ownerId: string, awaited: Awaited, milliseconds: number): Promise<boolean>
  /** What a link that a caller got is about; undefined for one that is none, or too old. */
  openLink: Links['open']
  /** The document by which authorization servers know the gateway (client id metadata documents). */
  clientDocument(isPublic: boolean): JsonObject
  /** The connections of a caller and of virtual accounts they answer for, and those that are needed. */
  of(caller: Caller): Promise<readonly Connection[]>
  /** Takes one back that is the caller's own, or anybody's for an admin. Throws `vault.connection_unknown`. */
  disconnect(by: By, id: string): Promise<void>
  /** The virtual account of this id, for the user who answers for it and for admins; undefined for everybody else. */
  answersFor(person: Caller, id: string): Promise<{ readonly id: string; readonly name: string } | undefined>
  readonly routes: readonly Route[]
  /** Something changed in the database: what is remembered is looked at again, and what has no owner any more is taken back. */
  refresh(): Promise<void>
}

export type VaultParts = {
  readonly database: Database
  readonly audit: AuditRecord
  readonly announcements: Announcements
  readonly addresses: Addresses
  readonly clock: Clock
  readonly log: Log
  readonly masterKey: MasterKey
  readonly seals: Sealer
  readonly identity: Pick<
    Identity,
    'flows' | 'holders' | 'ownedBy' | 'standInOf' | 'hasTeam' | 'onRemoval' | 'providers' | 'providerTokens'
  >
  readonly access: Access
  readonly register: Register
  readonly handles: Handles
}

/** Opens the vault: what the gateway, and those who call through it, have at the servers behind it. */
export function openVault(parts: VaultParts): Vault {
  const { database, seals, clock, identity, register, addresses } = parts
  const own = openSelf(addresses, parts.masterKey)
  const oauth = openOAuth({ kysely: database.kysely, seals, clock, self: own.self })
  const links = openLinks({ handles: parts.handles, origin: addresses.origin })
  const onBehalf = openOnBehalf({ ...parts, oauth })
  const custody = openCustody({ ...parts, oauth, onBehalf, withLink: links.withLink })
  const { opened, ...equip } = openEquip(seals, custody, links.withLink)
  const connectParts: ConnectParts = {
    ...parts,
    oauth,
    onBehalf,
    flows: identity.flows,
    redirectUri: () => own.self().redirectUri,
    opened,
    serverById: id => serverById(register, id),
    distrust: () => custody.distrust(),
  }
  const sweep = openSweep(connectParts, identity)
  const sweepClients = openClientSweep(connectParts)
  identity.onRemoval({
    forget: (tx, subject) => deleteOfOwner(tx, subject),
    // What a name is part of where it is sealed opens under no other: a team that is called otherwise gives its values anew.
    rename: (tx, from) => deleteOfOwner(tx, from),
    refresh: async () => custody.distrust(),
  })
  const connect = openConnect(connectParts)
  const routeParts = {
    ...connectParts,
    access: parts.access,
    servers: register.list,
    holders: identity.holders,
    ownedBy: identity.ownedBy,
    answersFor: (person: Caller, id: string) => answersFor(identity, person, id),
    origin: addresses.origin,
    find: register.find,
    ownerOf: (subject: string) => ownerOf(identity, subject),
    give: connect.give,
  }
  return {
    ...equip,
    connect,
    whenConnected: openWaiting({ ...connectParts, find: register.find }, connect),
    openLink: links.open,
    clientDocument: own.document,
    of: caller => connectionsFor(routeParts, caller),
    disconnect: (by, id) => takeBack(routeParts, by, id),
    answersFor: routeParts.answersFor,
    routes: connectionRoutes(routeParts),
    async refresh() {
      custody.distrust()
      await sweep()
      await sweepClients()
    },
  }
}

async function ownerOf(identity: VaultParts['identity'], subject: string): Promise<string | undefined> {
  if (!subject.startsWith('team:')) return (await identity.standInOf(subject))?.caller.id
  return (await identity.hasTeam(subject.slice('team:'.length))) ? subject : undefined
}

async function answersFor({ holders }: VaultParts['identity'], person: Caller, id: string) {
  const holder = (await holders([id])).get(id)
  const prefix = 'account:'
  if (holder?.isActive !== true || !holder.subject.startsWith(prefix)) return undefined
  return holder.ownerId === person.id || managesAll(person)
    ? { id, name: holder.subject.slice(prefix.length) }
    : undefined
}

function serverById(register: Register, id: string): Upstream | undefined {
  for (const upstream of register.list()) if (upstream.id === id) return upstream
  return undefined
}
