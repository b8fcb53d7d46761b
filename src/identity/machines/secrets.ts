/** Client secrets of virtual accounts: one, or two while the newer takes the place of the older. */
import { fail } from '../../foundation/errors.ts'
import { newId } from '../../foundation/id.ts'
import { keyedHash } from '../keyed-hash.ts'
import type { Room } from '../room.ts'
import { isoTime, lifetimeMilliseconds } from '../schemas.ts'
import type { Account } from '../table.ts'
import { newToken } from '../token-format.ts'
import { clientIdOf } from './credentials.ts'
import {
  deleteSecretsExpired,
  type From,
  insertSecret,
  type SecretRow,
  secretsOf,
  updateSecret,
} from './machine-table.ts'
import type { IssuedSecret, SecretView } from './views.ts'

export function secretView({ id, name, hint, ...row }: SecretRow): SecretView {
  return {
    id,
    name,
    hint: `gth_ocs_...${hint}`,
    createdAt: isoTime(row.created_at),
    expiresAt: isoTime(row.expires_at),
    lastUsedAt: row.last_used_at === null ? null : isoTime(row.last_used_at),
    replacedBy: row.replaced_by,
  }
}

export async function liveSecrets(from: From, accountId: string, now: number): Promise<SecretRow[]> {
  return (await secretsOf(from, accountId)).filter(({ expires_at }) => expires_at > now)
}

type Wanted = { readonly id: string; readonly name: string; readonly expires: string }

/** The first secret of an account. */
export async function addSecret(
  room: Room,
  tx: From,
  account: Account,
  wanted: Wanted,
): Promise<IssuedSecret> {
  const now = room.clock.now()
  await deleteSecretsExpired(tx, account.id, now)
  const [known] = await secretsOf(tx, account.id)
  if (known !== undefined)
    fail('http.conflict', {
      why: `The account ${account.name} has the secret ${known.id}.`,
      fix: `Put another in its place with: gatehouse account secret rotate ${account.name}.`,
    })
  return issue(room, tx, account, wanted)
}

type Rotation = Wanted & { readonly deadline: string }

/** Another secret in the place of the one there is, which stays good until the deadline. */
export async function rotateSecret(
  room: Room,
  tx: From,
  account: Account,
  { deadline, ...wanted }: Rotation,
): Promise<IssuedSecret> {
  const now = room.clock.now()
  await deleteSecretsExpired(tx, account.id, now)
  const [old, newer] = await secretsOf(tx, account.id)
  if (old === undefined)
    return fail('http.conflict', {
      why: `The account ${account.name} has no secret that is good.`,
      fix: `Make one with: gatehouse account secret add ${account.name}.`,
    })
  if (newer !== undefined)
    fail('http.conflict', {
      why: `The secret ${old.id}, whose place ${newer.id} took, is good until ${isoTime(old.expires_at)}.`,
      fix: `When nothing uses it any more: gatehouse account secret revoke ${account.name} ${old.id}`,
    })
  const expires_at = Math.min(old.expires_at, now + lifetimeMilliseconds(deadline))
  await updateSecret(tx, old.id, { expires_at, replaced_by: wanted.id })
  return issue(room, tx, account, wanted)
}

/** Makes it; this answer is the only place its text ever is. */
async function issue(
  { clock, pepper }: Room,
  tx: From,
  account: Account,
  { id, name, expires }: Wanted,
): Promise<IssuedSecret> {
  const secret = newToken('ocs')
  const now = clock.now()
  const row: SecretRow = {
    id,
    account_id: account.id,
    name,
    hash: keyedHash(pepper, secret),
    hint: secret.slice(-4),
    created_at: now,
    expires_at: now + lifetimeMilliseconds(expires),
    last_used_at: null,
    replaced_by: null,
  }
  await insertSecret(tx, row)
  return { ...secretView(row), clientId: clientIdOf(account.name), secret }
}

export function newSecretId({ clock }: Pick<Room, 'clock'>): string {
  return newId(clock.now())
}
