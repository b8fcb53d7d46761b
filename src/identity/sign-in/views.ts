/** Sessions and passkeys as people see them. */
import { z } from 'zod'
import type { Passkey } from '../passkeys/passkeys-table.ts'
import { isoTime } from '../schemas.ts'
import type { SessionRow } from '../sign-in-table.ts'

const time = z.iso.datetime()

export const sessionView = z.object({
  id: z.string(),
  isThisOne: z.boolean().describe('Is it the session that asks?'),
  method: z.enum(['provider', 'passkey', 'link', 'claim']).describe('How they signed in.'),
  provider: z.string().nullable().describe('The identity provider they signed in at.'),
  client: z.string().nullable().describe('The browser, as it names itself.'),
  createdAt: time,
  authenticatedAt: time,
  seenAt: time,
  expiresAt: time,
})

export const passkeyView = z.object({
  id: z.string(),
  name: z.string(),
  createdAt: time,
  usedAt: time.nullable(),
})

export const passkeyNameSchema = z
  .string()
  .trim()
  .min(1, 'give it a name')
  .max(100)
  .regex(/^\P{C}*$/u, 'use visible characters')

export type SessionView = z.infer<typeof sessionView>
export type PasskeyView = z.infer<typeof passkeyView>

export function viewSession(row: SessionRow, currentId: string | undefined): SessionView {
  const { id, method, provider, client } = row
  return {
    id,
    isThisOne: id === currentId,
    method,
    provider,
    client,
    createdAt: isoTime(row.created_at),
    authenticatedAt: isoTime(row.authenticated_at),
    seenAt: isoTime(row.seen_at),
    expiresAt: isoTime(row.expires_at),
  }
}

export function viewPasskey({ id, name, created_at, used_at }: Passkey): PasskeyView {
  return { id, name, createdAt: isoTime(created_at), usedAt: used_at === null ? null : isoTime(used_at) }
}
