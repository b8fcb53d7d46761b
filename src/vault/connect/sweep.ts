/** Whoever leaves takes nothing along: connections of people and accounts that are gone or disabled are taken back. */
import { GatewayError } from '../../foundation/errors.ts'
import type { Identity } from '../../identity/index.ts'
import { everyone } from '../credentials/credential.ts'
import { credentials, ownersOfCredentials } from '../credentials/credential-table.ts'
import type { ConnectParts } from './connect.ts'
import { disconnect } from './disconnect.ts'

/** Of several processes that sweep at once, each takes what it was first to take. */
export function openSweep(parts: ConnectParts, { holders }: Pick<Identity, 'holders'>): () => Promise<void> {
  return async () => {
    const { kysely } = parts.database
    const owners = (await ownersOfCredentials(kysely)).filter(
      owner => owner !== everyone && !owner.startsWith('team:'),
    )
    if (owners.length === 0) return
    const known = await holders(owners)
    const gone = owners.filter(owner => known.get(owner)?.isActive !== true)
    if (gone.length === 0) return
    for (const { id } of await credentials(kysely, { owners: gone }))
      await disconnect(parts, 'the gateway', id).catch(error => {
        if (!(error instanceof GatewayError) || error.code !== 'vault.connection_unknown') throw error
      })
  }
}
