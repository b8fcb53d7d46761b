/** Connections as lists: what a caller has at servers and what they need there, and what everybody has. */
import { GatewayError } from '../../foundation/errors.ts'
import type { Caller } from '../../foundation/route.ts'
import type { Upstream } from '../../upstreams/index.ts'
import type { OnBehalf } from '../auth-types/auth-type.ts'
import { type Credential, everyone } from '../credentials/credential.ts'
import { credentialById, credentialOf, credentials } from '../credentials/credential-table.ts'
import { fits } from '../credentials/fits.ts'
import type { Reason } from '../credentials/needed.ts'
import { ofTeams } from './connect.ts'
import type { RouteParts } from './routes.ts'
import { askedToSignIn } from './sign-in-at.ts'
import { type Connection, connectionOf } from './view.ts'

/** Those of a caller, and of the virtual accounts that they answer for. */
export async function connectionsFor(parts: RouteParts, caller: Caller): Promise<Connection[]> {
  const accounts = caller.kind === 'user' ? await parts.ownedBy(caller.id) : []
  const found: Connection[] = []
  for (const each of [caller, ...accounts]) found.push(...(await connectionsOf(parts, each)))
  return found
}

async function connectionsOf(parts: RouteParts, caller: Caller): Promise<Connection[]> {
  const has = new Map<string, Credential>()
  for (const credential of await credentials(parts.database.kysely, { owners: [caller.id] }))
    has.set(credential.serverId, credential)
  const shown: Connection[] = []
  for (const upstream of parts.servers()) {
    const { group, name, policy } = upstream
    const way = parts.opened(upstream)?.stored
    const isOfPeople = way?.onBehalf !== undefined && caller.kind === 'user'
    const needs = way?.by === 'person' || isOfPeople
    const mayUse = parts.access.clear(caller, 'server.use', { group, server: name, policy }).allowed
    // What is their own they see wherever it is; what is of a team only where they may use it.
    const isOfTeam = mayUse && way?.isOfTeams === true
    const ofTeam = isOfTeam ? await firstOf(parts, upstream, way.owners(caller)) : undefined
    const credential = ofTeam ?? has.get(upstream.id)
    if (credential === undefined && !(needs && mayUse)) continue
    const own = { id: caller.id, name: subjectOf(caller) }
    const owner = ofTeam === undefined ? own : { id: ofTeam.owner, name: ofTeam.owner }
    shown.push(await shownAs(parts, upstream, { credential, owner }))
  }
  return shown
}

/** What they use where it is of their teams. */
async function firstOf(
  { database }: RouteParts,
  { id: serverId }: Upstream,
  owners: readonly string[],
): Promise<Credential | undefined> {
  for (const owner of owners) {
    const stored = await credentialOf(database.kysely, { serverId, owner })
    if (stored !== undefined) return stored.credential
  }
  return undefined
}

export async function everybodys(parts: RouteParts): Promise<Connection[]> {
  const all = await credentials(parts.database.kysely, {})
  const known = await parts.holders([...new Set(all.map(({ owner }) => owner))])
  const shown: Connection[] = []
  for (const credential of all) {
    const { owner: id } = credential
    const upstream = parts.serverById(credential.serverId)
    const name = id === everyone ? everyone : (known.get(id)?.subject ?? id)
    if (upstream !== undefined)
      shown.push(await shownAs(parts, upstream, { credential, owner: { id, name } }))
  }
  return shown
}

type ToShow = {
  readonly credential: Credential | undefined
  readonly owner: { readonly id: string; readonly name: string }
}

/** One that cannot be looked at is shown as it is, with why, and keeps nobody from the others. */
async function shownAs(parts: RouteParts, upstream: Upstream, toShow: ToShow): Promise<Connection> {
  try {
    return await shownWhole(parts, upstream, toShow)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const { credential, owner } = toShow
    const shown = connectionOf(credential, { upstream, owner: owner.name, reason: 'none', link: null })
    return { ...shown, trouble: `${error.why} ${error.fix}` }
  }
}

async function shownWhole(
  parts: RouteParts,
  upstream: Upstream,
  { credential, owner }: ToShow,
): Promise<Connection> {
  const { onBehalf: way, isOfTeams = false } = parts.opened(upstream)?.stored ?? {}
  if (isOfTeams && credential === undefined)
    return ofTeams(upstream, 'Here the values are those of a team, and none of your teams has any.')
  const page = `${parts.origin()}/connect/${upstream.group}/${upstream.name}${forAccount(owner.name)}`
  // Nobody gives what is of a team at a page.
  const link = isOfTeams ? null : page
  // Room that was made is nothing yet.
  const got = way !== undefined && isEmpty(credential) ? undefined : credential
  const isOver = way !== undefined && got !== undefined && (await isOverFor(parts, way, got))
  const isUsed = got !== undefined && !isOver && reasonOf(parts, upstream, got) === undefined
  if (way === undefined || isUsed) {
    const reason = reasonOf(parts, upstream, got)
    return connectionOf(got, { upstream, owner: owner.name, reason, link })
  }
  const { isReady } = await askedToSignIn(parts, { onBehalf: way, owner: owner.id, credential: got })
  const isGone = got === undefined || isOver
  const reason = isReady ? undefined : isGone ? 'session' : reasonOf(parts, upstream, got)
  return connectionOf(got, { upstream, owner: owner.name, reason, link, isReady })
}

async function isOverFor(parts: RouteParts, way: OnBehalf, { id }: Credential): Promise<boolean> {
  const stored = await credentialById(parts.database.kysely, id)
  return stored !== undefined && parts.onBehalf.isOver(way, stored)
}

function isEmpty(credential: Credential | undefined): boolean {
  return credential?.refreshedAt === null && credential.trouble === null
}

function reasonOf(
  parts: RouteParts,
  upstream: Upstream,
  credential: Credential | undefined,
): Reason | undefined {
  if (credential === undefined) return 'none'
  const opened = parts.opened(upstream)
  if (opened === undefined || !fits(opened, credential)) return 'moved'
  if (credential.trouble !== null) return credential.trouble
  const isOver = credential.expiresAt !== null && credential.expiresAt <= parts.clock.now()
  return isOver && !credential.isRefreshable && opened.stored.by === 'person' ? 'refused' : undefined
}

function subjectOf({ kind, name }: Caller): string {
  return kind === 'operator' ? 'operator' : `${kind}:${name}`
}

/** Virtual accounts have no browser: who answers for one opens the page for it. */
function forAccount(subject: string): string {
  const [kind, name = ''] = subject.split(/:(.*)/s)
  return kind === 'account' ? `?account=${encodeURIComponent(name)}` : ''
}
