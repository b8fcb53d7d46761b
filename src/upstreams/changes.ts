/** One change of one server each: rights, a transaction with its audit event, and a fresh snapshot after it. */
import type { Transaction } from 'kysely'
import type { Access } from '../access/index.ts'
import { type AuditRecord, changeEvent } from '../audit/index.ts'
import type { Database, Tables } from '../database/index.ts'
import { fail } from '../foundation/errors.ts'
import type { Caller } from '../foundation/route.ts'
import { checkAuthRights } from './auth-rights.ts'
import {
  asInput,
  type ComposeParts,
  compose,
  isSameSite,
  type ServerChanges,
  type ServerInput,
} from './compose.ts'
import { checkGroup, checkTransportRights, managed } from './rights.ts'
import type { SealPlace } from './sealing.ts'
import { deleteServer, groupExists, insertServer, readServer, updateServer } from './table.ts'
import type { Upstream } from './upstream.ts'

/** Who changes something, in which request. */
export type By = { readonly caller: Caller; readonly requestId: string }

export type ServerPlace = { readonly group: string; readonly name: string }

export type Changes = {
  create(by: By, input: ServerInput, secrets: SealPlace['secrets']): Promise<Upstream>
  update(by: By, place: ServerPlace, changes: ServerChanges, secrets: SealPlace['secrets']): Promise<Upstream>
  remove(by: By, place: ServerPlace): Promise<void>
}

export type ChangeParts = ComposeParts & {
  readonly database: Database
  readonly access: Access
  readonly audit: AuditRecord
  readonly checkName: NameGuard
}

/** Throws where a name is taken by something else of the group. */
export type NameGuard = (tx: Transaction<Tables>, place: ServerPlace) => Promise<void>

type Tx = Transaction<Tables>

export function openChanges(parts: ChangeParts, refresh: () => Promise<void>): Changes {
  const { access } = parts
  async function change<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const result = await parts.database.change(work)
    await refresh()
    return result
  }
  const record = ({ caller, requestId }: By, action: string, { group, name }: ServerPlace, detail: unknown) =>
    parts.audit.recorded(changeEvent(caller, requestId, { action, target: `${group}/${name}`, detail }))
  return {
    create: (by, input, secrets) =>
      change(async tx => {
        checkGroup(access, by.caller, input.group)
        checkTransportRights(by.caller, input.transport)
        if (!(await groupExists(tx, input.group))) fail('access.not_found')
        if ((await readServer(tx, input)) !== undefined)
          fail('http.conflict', { why: `The group ${input.group} already has a server ${input.name}.` })
        await parts.checkName(tx, input)
        const server = compose(parts, { input, secrets, previous: undefined })
        checkAuthRights(parts.sealing, by.caller, { next: server })
        await insertServer(tx, server)
        await record(by, 'upstreams.create_server', input, asInput(parts.sealing, server))
        return server
      }),
    update: (by, place, changes, secrets) =>
      change(async tx => {
        const present = managed(access, by.caller, await readServer(tx, place))
        checkChange(by.caller, present, changes)
        const next = compose(parts, { input: { ...changes, ...place }, secrets, previous: present })
        if (next === present) return present
        checkAuthRights(parts.sealing, by.caller, { next, present })
        await updateServer(tx, next)
        await record(by, 'upstreams.update_server', place, onlyNamed(asInput(parts.sealing, next), changes))
        return next
      }),
    async remove(by, place) {
      await change(async tx => {
        const present = managed(access, by.caller, await readServer(tx, place))
        await removeServer(access, tx, present)
        await record(by, 'upstreams.remove_server', place, null)
      })
      await access.refresh()
    },
  }
}

/** Removes a server and what names it. */
export async function removeServer(access: Access, tx: Tx, { id, group, name }: Upstream): Promise<void> {
  await access.forgetServer(tx, group, name)
  await deleteServer(tx, id)
}

function checkChange(caller: Caller, present: Upstream, { transport, auth }: ServerChanges): void {
  checkTransportRights(caller, transport ?? present.transport, present.transport)
  if (transport === undefined || auth !== undefined || present.auth.kind === 'none') return
  if (!isSameSite(transport, present.transport))
    fail('http.bad_request', {
      why: 'The stored credentials were given for another site and are not carried over.',
      fix: 'Send auth together with the new transport.',
    })
}

function onlyNamed(input: ServerInput, changes: ServerChanges): unknown {
  return Object.fromEntries(Object.entries(input).filter(([key]) => key in changes))
}
