import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import type { HoldReason } from './pin-verdict.ts'

/** A definition as its server wrote it, and the hash of its RFC 8785 form. */
export type PinnedText = { readonly hash: string; readonly text: string }

export type Approved = PinnedText & {
  /** Name of a person, or why it was accepted without one. */
  readonly by: string
  readonly at: number
}

export type Held = {
  readonly reason: HoldReason
  readonly at: number
  /** The definition that waits; undefined where the approved one itself is held. */
  readonly waiting?: PinnedText | undefined
  /** The manager who holds it. */
  readonly by?: string | undefined
}

/** What is remembered of one tool: at least one of both is there. */
export type Pin = {
  readonly name: string
  readonly approved?: Approved | undefined
  readonly held?: Held | undefined
}

/** How the approver begins where a lockfile approved it. */
export const lockfile = 'lockfile'

/** Says what a pin is without its texts: the same as long as nothing about it changes. */
export function stampOf({ approved, held }: Pin): string {
  return [
    approved?.hash ?? '',
    approved?.by ?? '',
    approved?.at ?? '',
    held?.reason ?? '',
    held?.waiting?.hash ?? '',
    held?.by ?? '',
    held?.at ?? '',
  ].join('\n')
}

type Reader = Kysely<Tables> | Transaction<Tables>
type Row = Tables['tool_pins']

/** The pins of a server, or of all, by server and name, as stamps. */
export async function readStamps(
  database: Reader,
  serverId?: string,
): Promise<Map<string, Map<string, string>>> {
  const query = database
    .selectFrom('tool_pins')
    .select(['server_id', 'name', 'approved_hash', 'approved_by', 'approved_at'])
    .select(['held_reason', 'held_hash', 'held_by', 'held_at'])
  const rows = await (serverId === undefined ? query : query.where('server_id', '=', serverId)).execute()
  const servers = new Map<string, Map<string, string>>()
  for (const row of rows) {
    const pins = servers.get(row.server_id) ?? new Map<string, string>()
    servers.set(row.server_id, pins.set(row.name, stampOf(asPin({ ...row, ...noTexts }))))
  }
  return servers
}

const noTexts = { approved_definition: '', held_definition: '' }

/** In order of name. */
export async function readPins(
  database: Reader,
  serverId: string,
  names?: readonly string[],
): Promise<Pin[]> {
  const query = database.selectFrom('tool_pins').selectAll().where('server_id', '=', serverId).orderBy('name')
  if (names === undefined) return (await query.execute()).map(asPin)
  const found: Pin[] = []
  for (const some of chunks(names, 500)) {
    const rows = await query.where('name', 'in', some).execute()
    found.push(...rows.map(asPin))
  }
  return found
}

export async function writePins(
  tx: Transaction<Tables>,
  serverId: string,
  pins: readonly Pin[],
): Promise<void> {
  for (const some of chunks(pins, 100))
    await tx
      .insertInto('tool_pins')
      .values(some.map(pin => ({ server_id: serverId, name: pin.name, ...columns(pin) })))
      .onConflict(conflict =>
        conflict.columns(['server_id', 'name']).doUpdateSet(row => ({
          approved_hash: row.ref('excluded.approved_hash'),
          approved_definition: row.ref('excluded.approved_definition'),
          approved_by: row.ref('excluded.approved_by'),
          approved_at: row.ref('excluded.approved_at'),
          held_reason: row.ref('excluded.held_reason'),
          held_hash: row.ref('excluded.held_hash'),
          held_definition: row.ref('excluded.held_definition'),
          held_by: row.ref('excluded.held_by'),
          held_at: row.ref('excluded.held_at'),
        })),
      )
      .execute()
}

/** The server, where it is still registered. */
export async function placeOf(database: Reader, serverId: string): Promise<string | undefined> {
  const row = await database
    .selectFrom('servers')
    .innerJoin('server_groups', 'server_groups.id', 'servers.group_id')
    .select(['server_groups.name as group', 'servers.name as name'])
    .where('servers.id', '=', serverId)
    .executeTakeFirst()
  return row && `${row.group}/${row.name}`
}

/** Was the catalogue of the server ever read? */
export async function wasRead(database: Reader, serverId: string): Promise<boolean> {
  const row = await database
    .selectFrom('server_facts')
    .select('server_id')
    .where('server_id', '=', serverId)
    .executeTakeFirst()
  return row !== undefined
}

function columns({ approved, held }: Pin) {
  return {
    approved_hash: approved?.hash ?? null,
    approved_definition: approved?.text ?? null,
    approved_by: approved?.by ?? null,
    approved_at: approved?.at ?? null,
    held_reason: held?.reason ?? null,
    held_hash: held?.waiting?.hash ?? null,
    held_definition: held?.waiting?.text ?? null,
    held_by: held?.by ?? null,
    held_at: held?.at ?? null,
  }
}

function asPin(row: Row): Pin {
  const approved: Approved | undefined =
    row.approved_hash === null
      ? undefined
      : {
          hash: row.approved_hash,
          text: row.approved_definition ?? '',
          by: row.approved_by ?? '',
          at: row.approved_at ?? 0,
        }
  const waiting =
    row.held_hash === null ? undefined : { hash: row.held_hash, text: row.held_definition ?? '' }
  const held: Held | undefined =
    row.held_reason === null
      ? undefined
      : { reason: row.held_reason, at: row.held_at ?? 0, waiting, by: row.held_by ?? undefined }
  return { name: row.name, approved, held }
}

function* chunks<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size)
}
