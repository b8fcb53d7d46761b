/** Every column in which something sealed stands: what rotation re-wraps and verification opens. */
import { z } from 'zod'
import type { SealedColumn } from '../../foundation/sealed-column.ts'
import { sealedInIdentity } from '../../identity/index.ts'
import { placeOf } from '../credentials/credential.ts'
import { clientPlace } from '../oauth/registrations.ts'
import { authContext, environmentContext } from '../sealing.ts'

const sealedValues = z.record(z.string(), z.object({ sealed: z.string() })).default({})
const storedAuth = z.object({
  secrets: sealedValues,
  // As it was written before there were kinds with settings.
  headers: sealedValues,
})
const storedTransport = z.object({ env: sealedValues })

/** Values of servers: the register keeps them, and the vault alone knows their places. */
const sealedInServers: readonly SealedColumn[] = [
  {
    table: 'servers',
    column: 'auth_json',
    key: ['id'],
    needs: [],
    find(text, { id = '' }) {
      const { secrets, headers } = storedAuth.parse(JSON.parse(text))
      const old = Object.entries(headers).map(([name, value]) => [`headers.${name}`, value] as const)
      return [...Object.entries(secrets), ...old].map(([name, { sealed }]) => ({
        sealed,
        context: authContext(id, name),
      }))
    },
  },
  {
    table: 'servers',
    column: 'transport_json',
    key: ['id'],
    needs: [],
    find(text, { id = '' }) {
      const { env } = storedTransport.parse(JSON.parse(text))
      return Object.entries(env).map(([name, { sealed }]) => ({
        sealed,
        context: environmentContext(id, name),
      }))
    },
  },
]

/** What callers have at servers, and what the gateway registered itself as. */
const sealedInVault: readonly SealedColumn[] = [
  {
    table: 'upstream_credentials',
    column: 'sealed',
    key: ['id'],
    needs: ['owner', 'server_id'],
    find: (sealed, { id = '', owner = '', server_id: serverId = '' }) => [
      { sealed, context: placeOf({ id, owner, serverId }) },
    ],
  },
  {
    table: 'upstream_clients',
    column: 'sealed',
    key: ['server_id', 'issuer', 'redirect_uri'],
    needs: [],
    find: (sealed, { server_id: serverId = '', issuer = '', redirect_uri: redirectUri = '' }) => [
      { sealed, context: clientPlace({ serverId, issuer, redirectUri }) },
    ],
  },
]

export const sealedColumns: readonly SealedColumn[] = [
  ...sealedInIdentity,
  ...sealedInServers,
  ...sealedInVault,
]
