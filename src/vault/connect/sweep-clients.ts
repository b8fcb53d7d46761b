/** Registrations of the gateway that nobody uses any more are taken back: their server is gone, or gets its tokens from somebody else. */
import { ownEvent } from '../../audit/index.ts'
import { clientsInUse, forgetClient, type KeptClient, type Use } from '../oauth/client-table.ts'
import { openRegistration, unregister } from '../oauth/registrations.ts'
import type { ConnectParts } from './connect.ts'

/** Somebody may be on their way through a browser, or about to be. */
const idleMilliseconds = 86_400_000

/** Of several processes that sweep at once, each takes what it was first to take. */
export function openClientSweep(parts: ConnectParts): () => Promise<void> {
  return async () => {
    for (const client of await clientsInUse(parts.database.kysely))
      if (!isOfUse(parts, client)) await takeBack(parts, client)
  }
}

function isOfUse({ serverById, clock }: ConnectParts, client: KeptClient & Use): boolean {
  if (client.serverVersion === null) return false
  const upstream = serverById(client.serverId)
  // It was changed a moment ago, and what is known of it here is not what holds.
  if (upstream?.version !== client.serverVersion) return true
  const { issuer } = upstream.auth.settings
  // What was connected at another issuer than is configured is not used any more.
  if (typeof issuer === 'string' && issuer !== client.issuer) return false
  return client.isConnected || clock.now() - client.usedAt < idleMilliseconds
}

async function takeBack(
  { database, audit, seals, log, serverById }: ConnectParts,
  client: KeptClient,
): Promise<void> {
  const { serverId, issuer, clientId } = client
  const upstream = serverById(serverId)
  const target = upstream === undefined ? serverId : `${upstream.group}/${upstream.name}`
  const isTaken = await database.change(async tx => {
    if (!(await forgetClient(tx, client))) return false
    await audit.recorded(ownEvent({ action: 'vault.unregister', target, detail: { issuer, clientId } }))
    return true
  })
  if (!isTaken) return
  const told = async () => unregister(openRegistration(seals, client))
  void told().catch(error =>
    log.warn({ issuer, code: error?.code }, 'not taken back at the authorization server'),
  )
}
