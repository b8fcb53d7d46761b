/** The keys that sign ID tokens: made when they are first needed, renewed by age or by hand, published for as long as they can matter. */
import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { z } from 'zod'
import { changeEvent, ownEvent } from '../../audit/index.ts'
import { newId } from '../../foundation/id.ts'
import { isObject } from '../../foundation/json.ts'
import type { Caller } from '../../foundation/route.ts'
import type { Seals } from '../flows.ts'
import type { Room } from '../room.ts'
import { deleteKeysRetiredBefore, type From, insertKey, type KeyRow, keys, retireKeys } from './table.ts'

const day = 86_400_000
const renewAfterMilliseconds = 90 * day
/** Longer than anything that it signed is good, and than clients keep what is published. */
const publishedMilliseconds = 2 * day

export type Jwk = Readonly<Record<string, unknown>> & { readonly kid: string }

export type SigningKeys = {
  /** Private keys, the newest first, then those that sign nothing more. Makes and renews them as needed. */
  current(): Promise<readonly Jwk[]>
  /** Makes new ones. What was signed stays good. */
  rotate(by: { caller: Caller; requestId: string }): Promise<{ ids: string[] }>
}

type Parts = { readonly room: Room; readonly seals: Seals }

export function openSigningKeys({ room, seals }: Parts): SigningKeys {
  const { kysely } = room.database
  return {
    async current() {
      const known = await keys(kysely)
      const rows = isFresh(known, room.clock.now()) ? known : await renewed({ room, seals })
      return Promise.all(rows.map(row => opened(seals, row)))
    },
    async rotate({ caller, requestId }) {
      const made = await pairs()
      const rows = await room.database.change(async tx => {
        const all = await renew({ room, seals }, tx, made)
        const ids = all.filter(row => row.retired_at === null).map(row => row.id)
        const change = { action: 'oauth.rotate_keys', target: null, detail: { ids } }
        await room.audit.recorded(changeEvent(caller, requestId, change))
        return all
      })
      await room.refresh()
      return { ids: rows.filter(row => row.retired_at === null).map(row => row.id) }
    },
  }
}

function isFresh(rows: readonly KeyRow[], now: number): boolean {
  const signing = rows.filter(row => row.retired_at === null)
  return signing.length > 0 && signing.every(row => row.created_at > now - renewAfterMilliseconds)
}

async function renewed(parts: Parts): Promise<KeyRow[]> {
  const { room } = parts
  const made = await pairs()
  const rows = await room.database.change(async tx => {
    const known = await keys(tx)
    // Another process was first.
    if (isFresh(known, room.clock.now())) return known
    const all = await renew(parts, tx, made)
    const ids = all.filter(row => row.retired_at === null).map(row => row.id)
    await room.audit.recorded(ownEvent({ action: 'oauth.rotate_keys', target: null, detail: { ids } }))
    return all
  })
  return rows
}

type Made = { readonly algorithm: KeyRow['algorithm']; readonly jwk: unknown }

async function renew({ room, seals }: Parts, tx: From, made: readonly Made[]): Promise<KeyRow[]> {
  const now = room.clock.now()
  await deleteKeysRetiredBefore(tx, now - publishedMilliseconds)
  await retireKeys(tx, now)
  for (const { algorithm, jwk } of made) {
    const id = newId(now)
    const text = JSON.stringify({ ...(isObject(jwk) ? jwk : {}), kid: id, alg: algorithm, use: 'sig' })
    const sealed = await seals.seal(text, signingKeyPlace(id))
    await insertKey(tx, { id, algorithm, sealed, created_at: now, retired_at: null })
  }
  return keys(tx)
}

export const signingKeyPlace = (id: string): readonly string[] => ['oauth_keys', id]
const jwkSchema = z.looseObject({ kid: z.string() })

async function opened(seals: Seals, { id, sealed }: KeyRow): Promise<Jwk> {
  return jwkSchema.parse(JSON.parse(await seals.open(sealed, signingKeyPlace(id))))
}

const generate = promisify(generateKeyPair)

async function pairs(): Promise<Made[]> {
  const [curve, rsa] = await Promise.all([
    generate('ec', { namedCurve: 'P-256' }),
    generate('rsa', { modulusLength: 2048 }),
  ])
  return [
    { algorithm: 'ES256', jwk: curve.privateKey.export({ format: 'jwk' }) },
    { algorithm: 'RS256', jwk: rsa.privateKey.export({ format: 'jwk' }) },
  ]
}
