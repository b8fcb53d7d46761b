/** Every column in which something sealed stands: what rotation re-wraps and verification opens. */
import { z } from 'zod'
import type { SealedColumn } from '../../foundation/sealed-column.ts'
import { sealedInIdentity } from '../../identity/index.ts'
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

export const sealedColumns: readonly SealedColumn[] = [...sealedInIdentity, ...sealedInServers]
