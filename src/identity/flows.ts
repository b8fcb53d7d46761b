/** What one browser is in the midst of: kept sealed under a secret it holds, good once and not for long. */
import type { z } from 'zod'
import type { Clock } from '../foundation/clock.ts'
import { keyedHash } from './keyed-hash.ts'
import {
  deleteFlow,
  deleteOldFlows,
  type From,
  flowByHash,
  insertFlow,
  insertFlowOnce,
} from './sign-in-table.ts'
import { newToken } from './token-format.ts'

/** Seals text for a place and opens it again; the vault does it. Throws `vault.unsealable`. */
export type Seals = {
  seal(value: string, context: readonly string[]): string | Promise<string>
  open(sealed: string, context: readonly string[]): string | Promise<string>
}

export const flowPlace = (kind: string, hash: string): readonly string[] => ['flows', kind, hash]

type Parts = { readonly kysely: From; readonly pepper: Buffer; readonly clock: Clock; readonly seals: Seals }

export type Flows = {
  /** Keeps what the schema describes and returns the secret it is found by, which is nowhere else. */
  begin(kind: string, what: unknown, lifetime: { seconds: number }): Promise<string>
  /** Takes it away: whoever is first gets it. Undefined for an unknown, used or expired one, and for one of another kind. */
  take<T>(kind: string, secret: string, schema: z.ZodType<T>): Promise<T | undefined>
  /** Was this text never seen here within that time? Of several who ask at once, one hears yes. */
  once(kind: string, text: string, lifetime: { seconds: number }): Promise<boolean>
  /** Looks at it without taking it away. */
  peek<T>(kind: string, secret: string, schema: z.ZodType<T>): Promise<T | undefined>
}

export function openFlows({ kysely, pepper, clock, seals }: Parts): Flows {
  const find = async <T>(kind: string, secret: string, schema: z.ZodType<T>) => {
    const hash = keyedHash(pepper, secret)
    const row = await flowByHash(kysely, hash)
    if (row === undefined || row.kind !== kind || row.expires_at <= clock.now()) return undefined
    return { hash, what: schema.parse(JSON.parse(await seals.open(row.sealed, flowPlace(kind, hash)))) }
  }
  return {
    async begin(kind, what, { seconds }) {
      const secret = newToken('lnk')
      const hash = keyedHash(pepper, secret)
      const sealed = await seals.seal(JSON.stringify(what), flowPlace(kind, hash))
      await deleteOldFlows(kysely, clock.now())
      await insertFlow(kysely, { hash, kind, sealed, expires_at: clock.now() + seconds * 1000 })
      return secret
    },
    async once(kind, text, { seconds }) {
      const now = clock.now()
      await deleteOldFlows(kysely, now)
      const hash = keyedHash(pepper, `${kind} ${text}`)
      return insertFlowOnce(kysely, { hash, kind, sealed: '', expires_at: now + seconds * 1000 })
    },
    async take(kind, secret, schema) {
      const found = await find(kind, secret, schema)
      if (found === undefined || !(await deleteFlow(kysely, found.hash))) return undefined
      return found.what
    },
    peek: async (kind, secret, schema) => (await find(kind, secret, schema))?.what,
  }
}
