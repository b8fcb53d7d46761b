/** The credentials in use: from the database once, then from memory until they have to be renewed. */
import { GatewayError } from '../../foundation/errors.ts'
import { newId } from '../../foundation/id.ts'
import type { Asker, Refusal, Upstream } from '../../upstreams/index.ts'
import type { Stored as StoredWay } from '../auth-types/auth-type.ts'
import type { Links } from '../connect/link.ts'
import { type Challenge, readChallenge } from '../oauth/challenge.ts'
import { RefusedGrant } from '../oauth/client.ts'
import { targetOf } from '../oauth/open.ts'
import { type Credential, everyone, placeOf } from './credential.ts'
import { credentialOf, putCredential, type Stored } from './credential-table.ts'
import { boundTo, fits } from './fits.ts'
import { Live } from './live.ts'
import { connectNeeded, gatewayRefused } from './needed.ts'
import { contentOf, noteTrouble, type RenewParts, renew } from './renew.ts'

/** One server, opened. */
export type Opened = {
  readonly upstream: Upstream
  readonly stored: StoredWay
  /** The variables of its transport. */
  environment(): Readonly<Record<string, string>>
}

export type Custody = {
  /**
   * What authenticates requests of this caller. At once where it is remembered. Throws `vault.connect_needed`,
   * `vault.provider_trouble` and `vault.unsealable`.
   */
  live(opened: Opened, asker: Asker): Live | Promise<Live>
  /** Something may have changed in the database. */
  distrust(): void
}

/** A server that refuses credentials brings about new ones, and a failing renewal another try, no more often than this. */
const pauseMilliseconds = 5000
/** More than these are not remembered; the database has them all. */
const mostRemembered = 10_000

type CustodyParts = RenewParts & Pick<Links, 'withLink'>

export function openCustody(parts: CustodyParts): Custody {
  return new Remembered(parts)
}

class Remembered implements Custody {
  readonly #parts: CustodyParts
  readonly #byServer = new WeakMap<Upstream, Map<string, Live>>()
  /** Renewals under way, by credential. */
  readonly #renewals = new Map<string, Promise<Live>>()
  readonly #obtaining = new Map<string, Promise<Stored>>()
  readonly #pausedUntil = new Map<string, number>()
  /** When a refusal last brought about another credential, by server and owner. */
  readonly #refusedAt = new Map<string, number>()
  #epoch = 0

  constructor(parts: CustodyParts) {
    this.#parts = parts
  }

  live(opened: Opened, asker: Asker): Live | Promise<Live> {
    const known = this.#byServer.get(opened.upstream)?.get(asker.id)
    const now = this.#parts.clock.now()
    if (known === undefined || known.epoch !== this.#epoch || known.goodUntil <= now)
      return this.#find(opened, asker)
    if (known.renewAt <= now) this.#renewQuietly(opened, known)
    return known
  }

  distrust(): void {
    this.#epoch++
  }

  /** The server refused it: another one if there is one that it has not seen. */
  async #replace(opened: Opened, asker: Asker, { status, challenge, sent }: Refusal): Promise<Live> {
    const { upstream } = opened
    const said = readChallenge(challenge)
    // Who may not do this is still who they are.
    if (status === 403 && said?.error !== 'insufficient_scope') throw notAllowed()
    const known = this.#byServer.get(upstream)?.get(asker.id)
    if (known === undefined) return this.#find(opened, asker)
    const { credential } = known
    if (said?.error === 'insufficient_scope') throw widerNeeded(upstream, credential, said)
    // While it was under way another took its place, and nothing is known against that one.
    if (known.headers.some((text, at) => text !== sent[at])) return known
    const { serverId, owner } = credential
    const stored = await credentialOf(this.#parts.database.kysely, { serverId, owner })
    const trouble = stored?.credential.trouble ?? null
    if (trouble !== null) throw connectNeeded(upstream, trouble)
    if (stored !== undefined && !isSame(stored.credential, credential))
      return this.#use(opened, asker, stored)
    // A server that refuses what was got just now will refuse the next as well.
    const isUnderWay = this.#renewals.has(credential.id)
    if (!isUnderWay && this.#isRefusedAgain(`${serverId} ${owner}`)) throw notAccepted()
    this.#lookAnew(opened, said)
    if (credential.isRefreshable && credential.trouble === null)
      return this.#renewed(opened, known).catch(error => {
        // Nothing was got, so the next refusal is of nothing new.
        this.#refusedAt.delete(`${serverId} ${owner}`)
        throw error
      })
    if (opened.stored.by === 'gateway') return this.#use(opened, asker, await this.#obtain(opened, everyone))
    await noteTrouble(this.#parts, { upstream, credential }, 'rejected', this.#parts.clock.now())
    throw connectNeeded(upstream, 'rejected')
  }

  /** Its authorization server may be another by now. Whoever needs it next waits for it, and hears what is wrong with it. */
  #lookAnew({ upstream, stored: { oauth } }: Opened, challenge: Challenge = {}): void {
    if (oauth !== undefined) this.#parts.oauth.authority(upstream, oauth, challenge).catch(() => undefined)
  }

  #isRefusedAgain(key: string): boolean {
    const now = this.#parts.clock.elapsed()
    const isSoon = now - (this.#refusedAt.get(key) ?? Number.NEGATIVE_INFINITY) < pauseMilliseconds
    if (!isSoon) {
      const [oldest] = this.#refusedAt.keys()
      if (this.#refusedAt.size >= mostRemembered && oldest !== undefined) this.#refusedAt.delete(oldest)
      this.#refusedAt.set(key, now)
    }
    return isSoon
  }

  async #rejected(opened: Opened, asker: Asker, refused: Refusal): Promise<void> {
    try {
      await this.#replace(opened, asker, refused)
    } catch (error) {
      throw this.#parts.withLink(error, opened.upstream, asker)
    }
  }

  async #find(opened: Opened, asker: Asker): Promise<Live> {
    const { upstream, stored: way } = opened
    for (const owner of way.owners(asker)) {
      const stored = await credentialOf(this.#parts.database.kysely, { serverId: upstream.id, owner })
      if (stored !== undefined && fits(opened, stored.credential)) return this.#usable(opened, asker, stored)
      if (way.by === 'gateway') return this.#use(opened, asker, await this.#obtain(opened, owner))
      if (stored !== undefined) throw connectNeeded(upstream, 'moved')
    }
    throw connectNeeded(upstream, 'none')
  }

  /** One that is at its end is renewed first. */
  #usable(opened: Opened, asker: Asker, stored: Stored): Live | Promise<Live> {
    const live = this.#use(opened, asker, stored)
    const { credential } = stored
    if (live.goodUntil > this.#parts.clock.now()) return live
    if (opened.stored.by === 'gateway' && !credential.isRefreshable)
      return this.#obtain(opened, credential.owner).then(next => this.#use(opened, asker, next))
    if (credential.trouble !== null) throw connectNeeded(opened.upstream, credential.trouble)
    if (!credential.isRefreshable) throw connectNeeded(opened.upstream, 'refused')
    return this.#renewed(opened, live)
  }

  #use(opened: Opened, asker: Asker, stored: Stored): Live {
    const places = this.#placesOf(opened.upstream)
    const known = places.get(asker.id)
    const headers = this.#headersOf(opened, stored)
    // Who was equipped before an account took the place of another goes on with the other: it is the same person's.
    if (known !== undefined) {
      known.renewed(stored, headers, this.#epoch)
      return known
    }
    const renew: Live['renew'] = refused => this.#rejected(opened, asker, refused)
    const environment = (sealed: Stored) => ({
      ...opened.environment(),
      ...opened.stored.environment?.(contentOf(this.#parts.seals, sealed)),
    })
    const signer = (sealed: Stored) => opened.stored.sign?.(contentOf(this.#parts.seals, sealed))
    const live = new Live(stored, { headers, epoch: this.#epoch, renew, environment, signer })
    const [oldest] = places.keys()
    if (places.size >= mostRemembered && oldest !== undefined) places.delete(oldest)
    places.set(asker.id, live)
    return live
  }

  #headersOf({ stored: way }: Opened, stored: Stored): readonly string[] {
    return Object.entries(way.headers(contentOf(this.#parts.seals, stored))).flat()
  }

  #placesOf(upstream: Upstream): Map<string, Live> {
    const places = this.#byServer.get(upstream) ?? new Map<string, Live>()
    this.#byServer.set(upstream, places)
    return places
  }

  #renewQuietly(opened: Opened, live: Live): void {
    const { id } = live.credential
    if (this.#renewals.has(id) || (this.#pausedUntil.get(id) ?? 0) > this.#parts.clock.elapsed()) return
    // Whoever uses it next hears of it: as long as it is good there is nothing to say.
    this.#renewed(opened, live).catch(() => undefined)
  }

  #renewed(opened: Opened, live: Live): Promise<Live> {
    const { id } = live.credential
    const renewing =
      this.#renewals.get(id) ?? this.#renew(opened, live).finally(() => this.#renewals.delete(id))
    this.#renewals.set(id, renewing)
    return renewing
  }

  async #renew(opened: Opened, live: Live): Promise<Live> {
    const { upstream, stored: way } = opened
    const settings = way.oauth
    const { credential } = live
    if (settings === undefined) throw connectNeeded(upstream, 'refused')
    try {
      const stored = await renew(this.#parts, { upstream, settings, credential })
      this.#pausedUntil.delete(credential.id)
      live.renewed(stored, this.#headersOf(opened, stored), this.#epoch)
      return live
    } catch (error) {
      this.#pausedUntil.set(credential.id, this.#parts.clock.elapsed() + pauseMilliseconds)
      const isOver = error instanceof GatewayError && error.code === 'vault.connect_needed'
      if (isOver) live.renewAt = Number.POSITIVE_INFINITY
      throw error
    }
  }

  /** What the gateway gets by itself; one at a time in this process, and of several processes each may get its own. */
  #obtain(opened: Opened, owner: string): Promise<Stored> {
    const key = `${opened.upstream.id} ${opened.upstream.version} ${owner}`
    const obtaining =
      this.#obtaining.get(key) ?? this.#obtainNow(opened, owner).finally(() => this.#obtaining.delete(key))
    this.#obtaining.set(key, obtaining)
    return obtaining
  }

  async #obtainNow(opened: Opened, owner: string): Promise<Stored> {
    const { upstream, stored: way } = opened
    const { oauth, clock, seals, database } = this.#parts
    const settings = way.oauth
    if (settings === undefined) throw connectNeeded(upstream, 'none')
    const authority = await oauth.authority(upstream, settings)
    const client = await oauth.client(upstream, settings, authority)
    const scope = authority.scopes.join(' ')
    const parameters = { ...way.grant, ...(scope !== '' && { scope }) }
    const known = { target: targetOf(upstream, settings), authority, client }
    const tokens = await oauth.tokens(known, parameters).catch((error: unknown) => {
      if (error instanceof RefusedGrant) throw gatewayRefused(upstream, error.reason)
      throw error
    })
    const now = clock.now()
    const credential: Credential = {
      id: newId(now),
      serverId: upstream.id,
      owner,
      kind: 'tokens',
      issuer: authority.issuer,
      resource: authority.resource ?? null,
      clientId: client.id,
      boundTo: boundTo(opened),
      scopes: tokens.scopes ?? authority.scopes,
      account: tokens.account ?? null,
      expiresAt: tokens.expiresAt,
      // It asks again instead: a refresh token of a client is of no use (RFC 6749, 4.4.3).
      isRefreshable: false,
      trouble: null,
      version: 1,
      refreshedAt: now,
      createdAt: now,
      updatedAt: now,
    }
    const stored = {
      credential,
      sealed: seals.seal(JSON.stringify({ access: tokens.access }), placeOf(credential)),
    }
    await putCredential(database.kysely, stored)
    return stored
  }
}

function widerNeeded(upstream: Upstream, { scopes }: Credential, challenge: Challenge): GatewayError {
  const wanted = challenge.scopes ?? []
  // What it has already does not help when it is given again.
  if (wanted.length === 0 || wanted.every(scope => scopes.includes(scope))) return notAllowed()
  return connectNeeded(upstream, 'scopes', [...new Set([...scopes, ...wanted])])
}

function isSame(a: Credential, b: Credential): boolean {
  return a.id === b.id && a.version === b.version
}

function notAccepted(): GatewayError {
  return new GatewayError('upstream.unauthorized', {
    why: 'It refuses a token that its authorization server has just given.',
    fix: 'Ask a manager of the group: the server, or what its tokens are asked for, may be set up wrongly.',
  })
}

function notAllowed(): GatewayError {
  return new GatewayError('upstream.unauthorized', {
    why: 'The connected account may not do this there.',
    fix: 'Use an account that may, or ask whoever looks after it there.',
  })
}
