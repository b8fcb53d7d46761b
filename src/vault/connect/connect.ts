/** Connecting: somebody gets an account at a server, and takes it back. */
import { type AuditRecord, changeEvent } from '../../audit/index.ts'
import type { Database } from '../../database/index.ts'
import type { Announcements } from '../../foundation/announcements.ts'
import type { Clock } from '../../foundation/clock.ts'
import { fail } from '../../foundation/errors.ts'
import { newId } from '../../foundation/id.ts'
import type { Log } from '../../foundation/log.ts'
import type { Caller } from '../../foundation/route.ts'
import type { Upstream } from '../../upstreams/index.ts'
import type { Field } from '../auth-types/auth-type.ts'
import { type Credential, placeOf } from '../credentials/credential.ts'
import { credentialOf, putCredential, type Stored } from '../credentials/credential-table.ts'
import type { Opened } from '../credentials/custody.ts'
import { boundTo, fits } from '../credentials/fits.ts'
import type { OAuthSettings } from '../oauth/settings.ts'
import type { OnBehalfOf } from '../on-behalf/open.ts'
import type { Sealer } from '../seal.ts'
import { type Came, comeBack, type FlowParts, leave, takeFlow, type UnderWay, wayTo } from './flow.ts'
import { askedToSignIn, isSignedIn } from './sign-in-at.ts'

export type ConnectParts = FlowParts & {
  readonly database: Database
  readonly audit: AuditRecord
  readonly announcements: Announcements
  readonly seals: Sealer
  readonly clock: Clock
  readonly log: Log
  /** The server, opened; undefined for one that needs no account of anybody. */
  opened(upstream: Upstream): Opened | undefined
  /** By id, as it is now. */
  serverById(id: string): Upstream | undefined
  /** What is remembered is looked at again. */
  distrust(): void
  readonly onBehalf: OnBehalfOf
}

/** What a person is shown: where they go, or what they are asked to give. */
export type Question = {
  /** Who is connected now, where somebody is. */
  readonly present: { readonly account: string | null; readonly isBroken: boolean } | undefined
  /** Every other host that sees of it what could be used there: the server's own, and where its tokens come from. */
  readonly shownTo: readonly string[]
} & (
  | {
      readonly kind: 'tokens'
      /** Host of the authorization server. */
      readonly at: string
      readonly scopes: readonly string[]
    }
  | { readonly kind: 'values'; readonly fields: readonly Field[] }
  | {
      readonly kind: 'sign-in'
      /** Name of the identity provider, and what people read. */
      readonly provider: string
      readonly at: string
      /** They are signed in, and nothing is wrong: there is nothing to do. */
      readonly isReady: boolean
    }
)

export type Person = { readonly caller: Caller; readonly mark: string; readonly requestId: string }

export type Connect = {
  /** Throws `vault.connect_refused` for a server to which nobody connects, and `vault.provider_trouble`. */
  ask(upstream: Upstream, owner: string, scopes?: readonly string[]): Promise<Question>
  /** The URL to which the browser goes. */
  begin(
    upstream: Upstream,
    person: Person,
    more: { owner: string; onTo: string; scopes?: readonly string[] | undefined },
  ): Promise<string>
  /** Keeps values that somebody gave. Throws `http.bad_request` for those that cannot be used, and `vault.header_refused`. */
  give(upstream: Upstream, giving: Giving, values: Readonly<Record<string, string>>): Promise<void>
  /** The person is back: the account is connected. */
  finish(person: Person, query: ReadonlyMap<string, string>): Promise<{ upstream: Upstream; onTo: string }>
  /** Has this caller what a call of this server needs? `undefined` where nobody connects. */
  isConnected(upstream: Upstream, ownerId: string): Promise<boolean | undefined>
}

/** Whose values they are, and who gives them. */
export type Giving = { readonly owner: string; readonly caller: Caller; readonly requestId: string }

/** None for a process of the gateway. */
function hostOf({ transport }: Upstream): string[] {
  return transport.kind === 'stdio' ? [] : [new URL(transport.url).host]
}

export function openConnect(parts: ConnectParts): Connect {
  return {
    ask: (upstream, owner, scopes) => questionAbout(parts, upstream, { owner, scopes }),
    give: (upstream, giving, values) => giveValues(parts, upstream, giving, values),
    begin: (upstream, { caller, mark }, { owner, onTo, scopes }) =>
      leave(parts, {
        upstream,
        settings: settingsOf(parts, upstream),
        owner,
        personId: caller.id,
        mark,
        scopes,
        onTo,
      }),
    async finish(person, query) {
      const flow = await takeFlow(parts, { mark: person.mark, personId: person.caller.id, query })
      const upstream = parts.serverById(flow.serverId)
      // What it was allowed for was another server, whatever it is called.
      if (upstream === undefined || upstream.version !== flow.serverVersion) fail('identity.flow_over')
      const settings = settingsOf(parts, upstream)
      const came = await comeBack(parts, flow, { upstream, settings, query })
      await keep(parts, person, { upstream, flow, came })
      parts.distrust()
      parts.announcements.announce({ topic: 'connection.made', serverId: upstream.id, ownerId: flow.owner })
      return { upstream, onTo: flow.onTo }
    },
    async isConnected(upstream, owner) {
      const opened = parts.opened(upstream)
      if (opened === undefined) return undefined
      const { by, onBehalf, isOfTeams = false } = opened.stored
      const stored = await credentialOf(parts.database.kysely, { serverId: upstream.id, owner })
      if (onBehalf !== undefined)
        return isSignedIn(parts, { onBehalf, owner, credential: stored?.credential })
      if (by !== 'person' || isOfTeams) return undefined
      if (stored === undefined || !fits(opened, stored.credential)) return false
      const { trouble, expiresAt, isRefreshable } = stored.credential
      return trouble === null && (isRefreshable || expiresAt === null || expiresAt > parts.clock.now())
    },
  }
}

type Asking = { readonly owner: string; readonly scopes: readonly string[] | undefined }

async function questionAbout(
  parts: ConnectParts,
  upstream: Upstream,
  { owner, scopes }: Asking,
): Promise<Question> {
  const stored = await credentialOf(parts.database.kysely, { serverId: upstream.id, owner })
  const { account = null, trouble = null } = stored?.credential ?? {}
  const present = stored && { account, isBroken: trouble !== null }
  const { fields, isOfTeams = false, onBehalf } = parts.opened(upstream)?.stored ?? {}
  if (onBehalf !== undefined)
    return {
      ...(await askedToSignIn(parts, { onBehalf, owner, credential: stored?.credential })),
      present,
      shownTo: hostOf(upstream),
    }
  if (isOfTeams && !owner.startsWith('team:')) ofTeams(upstream)
  const server = hostOf(upstream)
  if (fields !== undefined) return { kind: 'values', fields, present, shownTo: server }
  const settings = settingsOf(parts, upstream)
  const way = await wayTo(parts, { upstream, settings, scopes })
  const { authorizationEndpoint = way.authority.issuer, tokenEndpoint } = way.authority
  const at = new URL(authorizationEndpoint).host
  const shownTo = [...new Set([...server, new URL(tokenEndpoint).host])].filter(host => host !== at)
  return { kind: 'tokens', at, scopes: way.scopes, present, shownTo }
}

function settingsOf(parts: ConnectParts, upstream: Upstream): OAuthSettings {
  const opened = parts.opened(upstream)
  const settings = opened?.stored.by === 'person' ? opened.stored.oauth : undefined
  return (
    settings ??
    fail('vault.connect_refused', {
      why: 'Nobody connects an account at this server: it takes none, or one that is the same for everybody.',
      fix: 'Use it as it is; if calls fail, tell a manager of its group.',
    })
  )
}

/** What can stand in a header and in a variable. */
const usable = /^[\x21-\x7e](?:[\x20-\x7e]{0,8190}[\x21-\x7e])?$/

export function ofTeams(
  { group, name }: Upstream,
  why = 'Here the values are those of teams, and nobody gives their own.',
): never {
  return fail('vault.connect_refused', {
    why,
    fix: `Ask a manager of the group ${group}: gatehouse connections set ${group}/${name} --owner team:<name>.`,
  })
}

async function giveValues(
  parts: ConnectParts,
  upstream: Upstream,
  { owner, caller, requestId }: Giving,
  given: Readonly<Record<string, string>>,
): Promise<void> {
  const opened = parts.opened(upstream)
  const way = opened?.stored
  if (way?.isOfTeams === true && !owner.startsWith('team:')) ofTeams(upstream)
  if (opened === undefined || way?.fields === undefined)
    return fail('vault.connect_refused', {
      why: 'This server takes no values of anybody.',
      fix: 'Connect with a browser, or use it as it is.',
    })
  const names = way.fields.map(({ name }) => name)
  const wrong = names.find(name => !usable.test(given[name] ?? ''))
  if (wrong !== undefined)
    fail('http.bad_request', {
      why: `The value of ${wrong} is missing, or has characters other than visible ASCII.`,
      fix: 'Give it as it was given to you, without line breaks.',
    })
  const unknown = Object.keys(given).find(name => !names.includes(name))
  if (unknown !== undefined)
    fail('http.bad_request', {
      why: `There is no value ${JSON.stringify(unknown.slice(0, 64))} here.`,
      fix: `Give ${names.join(' and ')}.`,
    })
  const content = { values: { ...given } }
  // By the rules that every request is held to.
  way.headers(content)
  way.sign?.(content)
  const now = parts.clock.now()
  const credential: Credential = {
    ...{ id: newId(now), serverId: upstream.id, owner, kind: 'values', issuer: null, clientId: null },
    ...{ resource: null, boundTo: boundTo(opened) },
    ...{ scopes: [], account: null, expiresAt: null, isRefreshable: false, trouble: null },
    ...{ version: 1, refreshedAt: null, createdAt: now, updatedAt: now },
  }
  const sealed = parts.seals.seal(JSON.stringify(content), placeOf(credential))
  await store(parts, { caller, requestId }, { upstream, stored: { credential, sealed } })
  parts.distrust()
  parts.announcements.announce({ topic: 'connection.made', serverId: upstream.id, ownerId: owner })
}

function openedNow(parts: ConnectParts, upstream: Upstream): Opened {
  return parts.opened(upstream) ?? fail('identity.flow_over')
}

type Connected = { readonly upstream: Upstream; readonly flow: UnderWay; readonly came: Came }

async function keep(parts: ConnectParts, person: Person, { upstream, flow, came }: Connected): Promise<void> {
  const { tokens, authority, clientId } = came
  const now = parts.clock.now()
  const credential: Credential = {
    id: newId(now),
    serverId: upstream.id,
    owner: flow.owner,
    kind: 'tokens',
    issuer: authority.issuer,
    resource: authority.resource ?? (upstream.transport.kind === 'stdio' ? null : upstream.transport.url),
    clientId,
    boundTo: boundTo(openedNow(parts, upstream)),
    scopes: tokens.scopes ?? flow.scopes,
    account: tokens.account ?? null,
    expiresAt: tokens.expiresAt,
    isRefreshable: tokens.refresh !== undefined,
    trouble: null,
    version: 1,
    refreshedAt: null,
    createdAt: now,
    updatedAt: now,
  }
  const content = { access: tokens.access, ...(tokens.refresh && { refresh: tokens.refresh }) }
  const sealed = parts.seals.seal(JSON.stringify(content), placeOf(credential))
  await store(parts, person, { upstream, stored: { credential, sealed } })
}

async function store(
  { database, audit }: ConnectParts,
  { caller, requestId }: Pick<Person, 'caller' | 'requestId'>,
  { upstream, stored }: { upstream: Upstream; stored: Stored },
): Promise<void> {
  const { id, owner, issuer, scopes, account } = stored.credential
  await database.change(async tx => {
    await putCredential(tx, stored)
    await audit.recorded(
      changeEvent(caller, requestId, {
        action: 'vault.connect',
        target: `${upstream.group}/${upstream.name}`,
        detail: { connection: id, owner, issuer, scopes, account },
      }),
    )
  })
}
