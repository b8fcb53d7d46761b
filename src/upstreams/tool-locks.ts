/** The approved tools of servers as a lockfile has them, and what making them so would change. */
import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { readTools } from './catalogue-table.ts'
import { definitionHash, oddityOf } from './definition-hash.ts'
import { lockfile, type Pin, type PinnedText, readPins, stampOf, writePins } from './pins-table.ts'

export type LockedTool = {
  readonly name: string
  readonly hash: string
  /** As its server wrote it. */
  readonly text: string
}

/** One tool of a server before and after. */
export type LockStep = {
  readonly name: string
  readonly before: Pin | undefined
  readonly after: Pin
}

/** Is it read in one way only, so that plain data can say it? */
export function isPlain({ text }: PinnedText): boolean {
  return oddityOf(text) === undefined
}

/** Is the definition the one of this hash? */
export function isOfHash({ hash, text }: PinnedText): boolean {
  return definitionHash(text, JSON.parse(text)) === hash
}

/** What is approved of a server, in order of name. What a manager holds by hand is not. */
export async function readLocked(database: Kysely<Tables>, serverId: string): Promise<LockedTool[]> {
  const pins = await readPins(database, serverId)
  return pins.flatMap(({ name, approved, held }) =>
    approved === undefined || held?.reason === 'hand'
      ? []
      : [{ name, hash: approved.hash, text: approved.text }],
  )
}

/** The definitions that wait at a server, by the tool's name. */
export async function readWaiting(
  database: Kysely<Tables>,
  serverId: string,
): Promise<ReadonlyMap<string, PinnedText>> {
  const pins = await readPins(database, serverId)
  return new Map(pins.flatMap(({ name, held }) => (held?.waiting ? [[name, held.waiting] as const] : [])))
}

/** What changes when exactly these tools are approved, and every other of the server is held. Nothing where it is so already. */
export async function planLock(
  tx: Transaction<Tables>,
  serverId: string,
  { tools, by, at }: { tools: readonly LockedTool[]; by: string; at: number },
): Promise<LockStep[]> {
  const wanted = new Map(tools.map(tool => [tool.name, tool]))
  const pins = new Map((await readPins(tx, serverId)).map(pin => [pin.name, pin]))
  const offered = await readTools(tx, serverId)
  const names = new Set([...wanted.keys(), ...pins.keys(), ...offered.keys()])
  return [...names].sort().flatMap(name => {
    const before = pins.get(name)
    const about = { name, before, offered: offered.get(name), at }
    const tool = wanted.get(name)
    const after = tool === undefined ? unlisted(about) : listed(tool, { ...about, by: `${lockfile}: ${by}` })
    return after === undefined || (before && stampOf(before) === stampOf(after))
      ? []
      : [{ name, before, after }]
  })
}

export async function putLock(
  tx: Transaction<Tables>,
  serverId: string,
  steps: readonly LockStep[],
): Promise<void> {
  await writePins(
    tx,
    serverId,
    steps.map(({ after }) => after),
  )
}

type About = {
  readonly name: string
  readonly before: Pin | undefined
  readonly offered: PinnedText | undefined
  readonly at: number
}

function listed({ hash, text }: LockedTool, about: About & { readonly by: string }): Pin {
  const { name, before, offered, at, by } = about
  const isApproved = before?.approved?.hash === hash
  const approved = isApproved ? before?.approved : { hash, text, by, at }
  const held = before?.held
  // What waits at it already goes on waiting, for the reason it has.
  if (isApproved && held?.waiting !== undefined && held.waiting.hash !== hash && held.reason !== 'hand')
    return { name, approved, held }
  const waiting = held?.waiting?.hash === hash ? undefined : (held?.waiting ?? offered)
  return waiting === undefined || waiting.hash === hash
    ? { name, approved }
    : { name, approved, held: { reason: 'lock', at, waiting } }
}

function unlisted({ name, before, offered, at }: About): Pin | undefined {
  const { approved, held } = before ?? {}
  if (held?.reason === 'hand' || (held?.reason === 'lock' && approved === undefined)) return before
  const waiting = held?.waiting ?? offered ?? approved
  return waiting && { name, held: { reason: 'lock', at: held?.at ?? at, waiting } }
}

/** The definition of a tool as plain data. */
export function definitionOf({ text }: PinnedText): JsonObject {
  const value: unknown = JSON.parse(text)
  return isObject(value) ? value : {}
}
