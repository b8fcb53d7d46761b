/** One change of one virtual server each: rights, a transaction with its audit event, and a fresh look after it. */
import type { Transaction } from 'kysely'
import { type Access, managesAll } from '../access/index.ts'
import { type AuditRecord, changeEvent } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import { fail } from '../foundation/errors.ts'
import { newId } from '../foundation/id.ts'
import type { Caller } from '../foundation/route.ts'
import type { Register } from '../upstreams/index.ts'
import { type Composed, compose, type Offer } from './compose.ts'
import type { Definition, DraftInput } from './definition.ts'
import { isSameDefinition } from './keyed.ts'
import { checkMayGive } from './may-give.ts'
import { type OfferParts, offerOf } from './offers.ts'
import { problemsOf, refuse } from './refusals.ts'
import { anyTool } from './served.ts'
import {
  deleteVirtual,
  insertPublication,
  insertVirtual,
  type Place,
  readPublications,
  readVirtual,
  readVirtuals,
  type StoredVirtual,
  updateVirtual,
} from './table.ts'

/** Who changes something, in which request. */
export type By = { readonly caller: Caller; readonly requestId: string }

export type ChangeParts = OfferParts & {
  readonly database: Database
  readonly access: Access
  readonly audit: AuditRecord
  readonly register: Pick<Register, 'find' | 'list' | 'manifest'>
}

export type Changes = {
  /** Makes a virtual server, or gives it another draft, description or access; what is served stays until it is published. */
  draft(by: By, input: DraftInput): Promise<StoredVirtual>
  /** Serves the draft. Throws `servers.name_clash` and `servers.bad_choice`. */
  publish(by: By, place: Place): Promise<StoredVirtual>
  /** Publishes again what was published under this number. */
  rollBack(by: By, place: Place, number: number): Promise<StoredVirtual>
  remove(by: By, place: Place): Promise<void>
}

type Tx = Transaction<Tables>

export function openChanges(parts: ChangeParts, refresh: () => Promise<void>): Changes {
  const { access, audit } = parts
  async function change<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const result = await parts.database.change(work)
    await refresh()
    return result
  }
  const record = (by: By, action: string, { group, name }: Place, detail: unknown) =>
    audit.recorded(
      changeEvent(by.caller, by.requestId, {
        action: `servers.${action}`,
        target: `${group}/${name}`,
        detail,
      }),
    )
  const managed = async (tx: Tx, { caller }: By, place: Place) => {
    const stored = await readVirtual(tx, place)
    if (stored === undefined || !access.sees(caller, place.group)) return fail('access.not_found')
    checkManages(access, caller, place.group)
    return stored
  }
  return {
    draft: (by, input) =>
      change(async tx => {
        checkManages(access, by.caller, input.group)
        const stored = await putDraft(parts, tx, input)
        await record(by, 'draft_virtual_server', input, input)
        return stored
      }),
    publish: (by, place) =>
      change(async tx => {
        const stored = await managed(tx, by, place)
        if (stored.draft === undefined)
          return fail('http.conflict', {
            why: 'There is no draft that is not published yet.',
            fix: 'Write one with: gatehouse virtual draft -f <file>.',
          })
        const number = await publishDraft(parts, tx, { by: by.caller, stored, definition: stored.draft })
        await record(by, 'publish_virtual_server', place, { number })
        return reread(tx, place)
      }),
    rollBack: (by, place, number) =>
      change(async tx => {
        const stored = await managed(tx, by, place)
        const earlier = (await readPublications(tx, stored.id)).find(each => each.number === number)
        if (earlier === undefined)
          return fail('http.not_found', { why: `There is no publication ${number}.` })
        const now = await publishDraft(parts, tx, { by: by.caller, stored, definition: earlier.definition })
        await record(by, 'roll_back_virtual_server', place, { from: number, number: now })
        return reread(tx, place)
      }),
    remove: (by, place) =>
      change(async tx => {
        const stored = await managed(tx, by, place)
        await removeVirtual(access, tx, stored)
        await record(by, 'remove_virtual_server', place, null)
      }),
  }
}

export async function removeVirtual(
  access: Access,
  tx: Tx,
  { id, group, name }: StoredVirtual,
): Promise<void> {
  await access.forgetServer(tx, group, name)
  await deleteVirtual(tx, id)
}

async function reread(tx: Tx, place: Place): Promise<StoredVirtual> {
  return (await readVirtual(tx, place)) ?? fail('access.not_found')
}

function checkManages(access: Access, caller: Caller, group: string): void {
  if (!access.sees(caller, group)) fail('access.not_found')
  if (!access.isManager(caller, group))
    fail('identity.forbidden', { why: `You are no manager of the group ${group}.` })
}

/** Stores a virtual server with a draft and its access. */
export async function putDraft(parts: ChangeParts, tx: Tx, input: DraftInput): Promise<StoredVirtual> {
  const { group, name, description, access, ...definition } = input
  const present = await readVirtual(tx, input)
  if (present === undefined) {
    if (await isTaken(parts, tx, input))
      fail('http.conflict', { why: `The group ${group} already has a server ${name}.` })
    await insertVirtual(tx, { id: newId(), group, name, description: description ?? '', draft: definition })
  } else
    await updateVirtual(tx, present.id, {
      ...(description !== undefined && { description }),
      draft: definition,
    })
  if (access !== undefined) await parts.access.putOwnGrants(tx, input, access)
  return reread(tx, input)
}

async function isTaken({ register }: ChangeParts, tx: Tx, { group, name }: Place): Promise<boolean> {
  return (await register.manifest.read(tx)).some(server => server.group === group && server.name === name)
}

type Publishing = {
  readonly by: Caller
  readonly stored: StoredVirtual
  readonly definition: Definition
  /** What its sources offer; what the register has, unless told. */
  readonly offer?: (server: string) => Offer | undefined
}

/** Checks a definition against what its sources offer now, and serves it from then on. Gives the number of the publication. */
export async function publishDraft(
  parts: ChangeParts,
  tx: Tx,
  { by, stored, definition, offer }: Publishing,
): Promise<number> {
  if (!managesAll(by)) checkMayGive(parts, by, definition)
  const composed = composeNow(parts, stored, definition, offer)
  await refuseVirtualSources(tx, composed)
  refuse(problemsOf(composed))
  const [latest] = await readPublications(tx, stored.id)
  const number = (latest?.number ?? 0) + 1
  const { settled } = composed
  await insertPublication(tx, stored.id, { number, definition, settled, by: by.name, at: Date.now() })
  // Another draft, which waits while something else is published, goes on waiting.
  const isDone = stored.draft !== undefined && isSameDefinition(stored.draft, definition)
  await updateVirtual(tx, stored.id, { published: number, ...(isDone ? { draft: undefined } : {}) })
  return number
}

/** A definition as it would be served now, with the names that its things have already. */
export function composeNow(
  parts: OfferParts,
  { group, name, published }: Pick<StoredVirtual, 'group' | 'name' | 'published'>,
  definition: Definition,
  offer: (server: string) => Offer | undefined = place => offerOf(parts, place),
): Composed {
  const settled = published?.settled
  return compose({
    definition,
    home: { group, name, policy: anyTool },
    offer,
    ...(settled === undefined ? {} : { settled }),
  })
}

async function refuseVirtualSources(tx: Tx, { composition }: Composed): Promise<void> {
  const gone = composition.missing.filter(({ reason }) => reason === 'gone').map(({ server }) => server)
  if (gone.length === 0) return
  const virtual = new Set((await readVirtuals(tx)).map(({ group, name }) => `${group}/${name}`))
  const named = gone.filter(server => virtual.has(server))
  if (named.length > 0)
    fail('servers.bad_choice', {
      why: `${named.join(', ')} is itself virtual; only servers that are there by themselves can be sources.`,
      fix: 'Name the servers that it is made of.',
    })
}
