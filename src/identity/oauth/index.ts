/** What the authorization server keeps, for the plane that is one. */
import type { Seals } from '../flows.ts'
import type { Machines } from '../machines/store.ts'
import type { Room } from '../room.ts'
import { type Artifacts, openArtifacts } from './artifacts.ts'
import { type Clients, openClients } from './clients.ts'
import { type Grants, openGrants } from './grants.ts'
import { openSigningKeys, type SigningKeys } from './keys.ts'

export type OAuthStore = {
  readonly artifacts: Artifacts
  readonly grants: Grants
  readonly clients: Clients
  readonly keys: SigningKeys
  readonly machines: Machines
}

export function openOAuthStore(room: Room, seals: Seals, machines: Machines): OAuthStore {
  const { kysely } = room.database
  return {
    artifacts: openArtifacts({ kysely, pepper: room.pepper, clock: room.clock, seals }),
    grants: openGrants(room),
    clients: openClients({ room, seals }),
    keys: openSigningKeys({ room, seals }),
    machines,
  }
}
