import type { Access } from '../access/index.ts'
import type { AuditRecord } from '../audit/index.ts'
import type { Database } from '../database/index.ts'
import type { Addresses } from '../foundation/addresses.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Clock } from '../foundation/clock.ts'
import type { Handles } from '../foundation/handles.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { Log } from '../foundation/log.ts'
import type { MasterKey } from '../foundation/master-key.ts'
import type { Route } from '../foundation/route.ts'
import type { Identity } from '../identity/index.ts'
import type { Register, Upstream } from '../upstreams/index.ts'
import { type Connect, type ConnectParts, openConnect } from './connect/connect.ts'
import { type Links, openLinks } from './connect/link.ts'
import { connectionRoutes } from './connect/routes.ts'
import { openSweep } from './connect/sweep.ts'
import { type Awaited, openWaiting } from './connect/wait.ts'
import { openCustody } from './credentials/custody.ts'
import { openOAuth } from './oauth/open.ts'
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
  readonly identity: Pick<Identity, 'flows' | 'holders'>
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
  const custody = openCustody({ ...parts, oauth, withLink: links.withLink })
  const { opened, ...equip } = openEquip(seals, custody, links.withLink)
  const connectParts: ConnectParts = {
    ...parts,
    oauth,
    flows: identity.flows,
    redirectUri: () => own.self().redirectUri,
    opened,
    serverById: id => serverById(register, id),
    distrust: () => custody.distrust(),
  }
  const sweep = openSweep(connectParts, identity)
  const connect = openConnect(connectParts)
  return {
    ...equip,
    connect,
    whenConnected: openWaiting({ ...connectParts, find: register.find }, connect),
    openLink: links.open,
    clientDocument: own.document,
    routes: connectionRoutes({
      ...connectParts,
      access: parts.access,
      servers: register.list,
      holders: identity.holders,
      origin: addresses.origin,
    }),
    async refresh() {
      custody.distrust()
      await sweep()
    },
  }
}

function serverById(register: Register, id: string): Upstream | undefined {
  for (const upstream of register.list()) if (upstream.id === id) return upstream
  return undefined
}
