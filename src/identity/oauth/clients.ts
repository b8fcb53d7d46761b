/** OAuth clients: those that an admin entered, and those that registered themselves. */
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import type { Seals } from '../flows.ts'
import type { Room } from '../room.ts'
import { type Payload, within } from './artifacts.ts'
import {
  type ClientRow,
  clientById,
  countUnusedClients,
  deleteClient,
  deleteGrantsOfClient,
  deleteUnusedClients,
  markClientUsed,
  putClient,
} from './table.ts'

const unusedMilliseconds = 30 * 86_400_000
/** Registrations that nobody used yet; more at once are no users but somebody who fills the disk. */
const mostUnused = 10_000

export type RegisteredBy = ClientRow['registered_by']

export type KnownClient = {
  readonly registeredBy: RegisteredBy
  /** As RFC 7591 has it, with the secret. */
  readonly metadata: Payload
}

export type Clients = {
  find(id: string): Promise<KnownClient | undefined>
  /** Keeps a client that registered itself, new or changed. Throws `oauth.too_many_clients`. */
  putItself(id: string, metadata: Payload): Promise<void>
  /** It got a token, so it stays. */
  used(id: string): Promise<void>
  /** With all its tokens. */
  remove(id: string): Promise<void>
}

type Parts = { readonly room: Room; readonly seals: Seals }

export const metadataSchema = z.record(z.string(), z.unknown())
export const secretPlace = (id: string) => ['oauth_clients', id, 'secret']

export function openClients({ room, seals }: Parts): Clients {
  const { kysely } = room.database
  return {
    async find(id) {
      const row = await clientById(within(kysely), id)
      if (row === undefined || isOver(row, room.clock.now())) return undefined
      const { registered_by: registeredBy, metadata_json, secret_sealed } = row
      const metadata = metadataSchema.parse(JSON.parse(metadata_json))
      if (secret_sealed === null) return { registeredBy, metadata }
      const client_secret = await seals.open(secret_sealed, secretPlace(id))
      return { registeredBy, metadata: { ...metadata, client_secret } }
    },
    async putItself(id, { client_secret: secret, ...metadata }) {
      const now = room.clock.now()
      const from = within(kysely)
      const known = await clientById(from, id)
      if (known === undefined) {
        await deleteUnusedClients(from, now - unusedMilliseconds)
        if ((await countUnusedClients(from)) >= mostUnused) fail('oauth.too_many_clients')
      }
      const name = typeof metadata.client_name === 'string' ? metadata.client_name : id
      await putClient(from, {
        id,
        registered_by: 'itself',
        name: name.slice(0, 200),
        metadata_json: JSON.stringify(metadata),
        secret_sealed: typeof secret === 'string' ? await seals.seal(secret, secretPlace(id)) : null,
        version: (known?.version ?? 0) + 1,
        created_at: now,
        updated_at: now,
        used_at: null,
      })
    },
    used: id => markClientUsed(within(kysely), id, room.clock.now()),
    async remove(id) {
      await room.database.change(async tx => {
        await deleteGrantsOfClient(tx, id)
        await deleteClient(tx, id)
      })
      await room.refresh()
    },
  }
}

function isOver(row: ClientRow, now: number): boolean {
  return row.registered_by === 'itself' && row.used_at === null && row.created_at <= now - unusedMilliseconds
}
