/** Provisioning: people and groups as an identity provider keeps them here (SCIM 2.0, RFC 7643 and 7644). */
import type { IdentityProvider } from '../providers/provider.ts'
import type { By, Room } from '../room.ts'
import {
  asGroup,
  createGroup,
  deprovisionGroup,
  type ProvisionedGroup,
  replaceGroup,
  type WantedGroup,
} from './groups.ts'
import {
  asUser,
  createUser,
  deprovisionUser,
  type Known,
  type ProvisionedUser,
  replaceUser,
  type WantedUser,
} from './people.ts'
import { type GroupKey, scimGroups, scimMemberships, scimUsers, type UserKey } from './scim-table.ts'

export type { GroupKey, Known, ProvisionedGroup, ProvisionedUser, UserKey, WantedGroup, WantedUser }

export type Provisioning = {
  /** Users of this provider with these values, by id; all of them without any. */
  users(by?: UserKey): Promise<readonly ProvisionedUser[]>
  /** Throws `http.conflict`, `http.bad_request`. */
  createUser(wanted: WantedUser, by: By): Promise<ProvisionedUser>
  /** Throws `identity.unknown`, `http.conflict` (with `stale` when it was changed meanwhile), `http.bad_request`. */
  replaceUser(wanted: WantedUser & Known, by: By): Promise<ProvisionedUser>
  /** Deletes, or disables who owns virtual accounts. Throws `identity.unknown`. */
  removeUser(id: string, by: By): Promise<void>
  groups(by?: GroupKey): Promise<readonly ProvisionedGroup[]>
  createGroup(wanted: WantedGroup, by: By): Promise<ProvisionedGroup>
  replaceGroup(wanted: WantedGroup & Known, by: By): Promise<ProvisionedGroup>
  removeGroup(id: string, by: By): Promise<void>
}

/** What one identity provider may do. */
export function provisioningOf(room: Room, provider: IdentityProvider): Provisioning {
  const { kysely } = room.database
  return {
    users: async by => (await scimUsers(kysely, provider.id, by)).map(asUser),
    createUser: (wanted, by) => createUser(room, provider, wanted, by),
    replaceUser: (wanted, by) => replaceUser(room, provider, wanted, by),
    removeUser: (id, by) => deprovisionUser(room, provider, id, by),
    async groups(by) {
      // Versions first: a change between the two looks makes what is built on them stale, and never unnoticed.
      const rows = await scimGroups(kysely, provider.id, by)
      const memberships = await scimMemberships(kysely, provider.id)
      return rows.map(row => asGroup(row, memberships))
    },
    createGroup: (wanted, by) => createGroup(room, provider, wanted, by),
    replaceGroup: (wanted, by) => replaceGroup(room, provider, wanted, by),
    removeGroup: (id, by) => deprovisionGroup(room, provider, id, by),
  }
}
