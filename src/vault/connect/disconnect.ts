/** Taking a connection back: nothing of it stays here, and the other side is told (RFC 7009). */
import { changeEvent, ownEvent } from '../../audit/index.ts'
import { fail } from '../../foundation/errors.ts'
import type { Caller } from '../../foundation/route.ts'
import { deleteCredential, type Stored } from '../credentials/credential-table.ts'
import { contentOf } from '../credentials/renew.ts'
import { ask, fetchFor } from '../oauth/ask.ts'
import { targetOf } from '../oauth/open.ts'
import { authenticate } from '../oauth/token-request.ts'
import type { ConnectParts } from './connect.ts'

export type By = { readonly caller: Caller; readonly requestId: string }

/** Throws `vault.connection_unknown` for one that is not there any more. */
export async function disconnect(parts: ConnectParts, by: By | 'the gateway', id: string): Promise<void> {
  const { database, audit } = parts
  const stored = await database.change(async tx => {
    const removed = await deleteCredential(tx, id)
    if (removed === undefined) return undefined
    const { serverId, owner } = removed.credential
    const upstream = parts.serverById(serverId)
    const target = upstream === undefined ? serverId : `${upstream.group}/${upstream.name}`
    const change = { action: 'vault.disconnect', target, detail: { connection: id, owner } }
    await audit.recorded(
      by === 'the gateway' ? ownEvent(change) : changeEvent(by.caller, by.requestId, change),
    )
    return removed
  })
  if (stored === undefined) return fail('vault.connection_unknown')
  parts.distrust()
  void revoke(parts, stored).catch(error =>
    parts.log.warn({ connection: id, code: error?.code }, 'not revoked'),
  )
}

/** The refresh token first: with it goes what came of it. */
async function revoke(parts: ConnectParts, stored: Stored): Promise<void> {
  const { seals, oauth, clock } = parts
  const { credential } = stored
  const upstream = parts.serverById(credential.serverId)
  const opened = upstream && parts.opened(upstream)
  const settings = opened?.stored.oauth
  if (upstream === undefined || settings === undefined) return
  const { access, refresh } = contentOf(seals, stored)
  const authority = await oauth.authority(upstream, settings)
  if (authority.revocationEndpoint === undefined || authority.issuer !== credential.issuer) return
  const client = await oauth.client(upstream, settings, authority, credential.clientId ?? undefined)
  const send = fetchFor(targetOf(upstream, settings))
  const tokens = { refresh_token: refresh, access_token: access }
  for (const [hint, token] of Object.entries(tokens)) {
    if (token === undefined) continue
    const form = new URLSearchParams({ token, token_type_hint: hint })
    const headers = await authenticate({ authority, client, now: clock.now() }, form)
    const init = { method: 'POST', headers, body: form.toString() }
    await ask(send, authority.revocationEndpoint, init, 'revocation endpoint')
  }
}
