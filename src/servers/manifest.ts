/** Virtual servers as the manifest has them: each written whole, drafted and published at once. */
import type { Kysely, Transaction } from 'kysely'
import type { Tables } from '../database/index.ts'
import type { Caller } from '../foundation/route.ts'
import type { Upstream } from '../upstreams/index.ts'
import { type ChangeParts, composeNow, publishDraft, putDraft, removeVirtual } from './changes.ts'
import type { Definition, VirtualAccess, VirtualServerInput } from './definition.ts'
import { isSameDefinition } from './keyed.ts'
import { offersAmong } from './offers.ts'
import { type PublishProblem, problemsOf } from './refusals.ts'
import { readVirtual, readVirtuals, type StoredVirtual, updateVirtual } from './table.ts'

/** A virtual server as it is, or as a manifest wants it. */
export type DeclaredVirtual = {
  readonly group: string
  readonly name: string
  readonly description: string
  readonly access: readonly VirtualAccess[]
  /** What is served; undefined before the first publication. */
  readonly published: Definition | undefined
  /** What somebody wrote and did not publish. */
  readonly draft: Definition | undefined
}

/** For the manifest, which owns the transaction, the audit and the refresh after it, and lets only admins in. */
export type VirtualVerbs = {
  read(database: Kysely<Tables>): Promise<DeclaredVirtual[]>
  /** What keeps it from being published where these are the servers. */
  problems(wanted: DeclaredVirtual, servers: readonly Upstream[]): readonly PublishProblem[]
  /** Stores and publishes it. Its group and its sources must be there. */
  put(tx: Transaction<Tables>, wanted: DeclaredVirtual, given: Given): Promise<void>
  remove(tx: Transaction<Tables>, place: { readonly group: string; readonly name: string }): Promise<void>
}

type Given = { readonly by: Caller; readonly servers: readonly Upstream[] }

export function declared({
  group,
  name,
  description,
  access,
  ...published
}: VirtualServerInput): DeclaredVirtual {
  return { group, name, description, access, published, draft: undefined }
}

type Parts = ChangeParts & {
  find(place: string): Pick<StoredVirtual, 'group' | 'name' | 'published'> | undefined
}

export function openVirtualVerbs(parts: Parts): VirtualVerbs {
  // A manifest asks of many virtual servers with the same servers.
  const known = new WeakMap<readonly Upstream[], ReturnType<typeof offersAmong>>()
  const offers = (servers: readonly Upstream[]) => {
    const offer = known.get(servers) ?? offersAmong(parts, servers)
    known.set(servers, offer)
    return offer
  }
  return {
    read: database => readDeclared(parts, database),
    problems(wanted, servers) {
      if (wanted.published === undefined) return []
      const present = parts.find(`${wanted.group}/${wanted.name}`)
      const stored = present ?? { ...wanted, published: undefined }
      return problemsOf(composeNow(parts, stored, wanted.published, offers(servers)))
    },
    put: (tx, wanted, { by, servers }) => put(parts, tx, { wanted, by, offer: offers(servers) }),
    async remove(tx, place) {
      const stored = await readVirtual(tx, place)
      if (stored !== undefined) await removeVirtual(parts.access, tx, stored)
    },
  }
}

async function readDeclared({ access }: ChangeParts, database: Kysely<Tables>): Promise<DeclaredVirtual[]> {
  const grants = await access.readOwnGrants(database)
  return (await readVirtuals(database)).map(({ group, name, description, published, draft }) => ({
    group,
    name,
    description,
    access: grants.get(`${group}/${name}`) ?? [],
    published: published?.definition,
    draft,
  }))
}

type Putting = {
  readonly wanted: DeclaredVirtual
  readonly by: Caller
  readonly offer: ReturnType<typeof offersAmong>
}

async function put(
  parts: ChangeParts,
  tx: Transaction<Tables>,
  { wanted, by, offer }: Putting,
): Promise<void> {
  const { group, name, description, access, published: definition } = wanted
  if (definition === undefined) return
  const present = await readVirtual(tx, wanted)
  if (present?.published !== undefined && isSameDefinition(present.published.definition, definition)) {
    // What is served stays as it is, and so does a draft that waits.
    if (present.description !== description) await updateVirtual(tx, present.id, { description })
    await parts.access.putOwnGrants(tx, wanted, access)
    return
  }
  const stored = await putDraft(parts, tx, { group, name, description, access: [...access], ...definition })
  await publishDraft(parts, tx, { by, stored, definition, offer })
}
