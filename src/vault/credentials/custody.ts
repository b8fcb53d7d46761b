/** The credentials in use: from the database once, then from memory until they have to be renewed. */
import { GatewayError } from '../../foundation/errors.ts'
import type { Asker, Credentials, Refusal, Upstream } from '../../upstreams/index.ts'
import type { Stored as StoredWay } from '../auth-types/auth-type.ts'
import type { Links } from '../connect/link.ts'
import { type Challenge, readChallenge } from '../oauth/challenge.ts'
import { personNeeded } from '../on-behalf/errors.ts'
import type { OnBehalfOf } from '../on-behalf/open.ts'
import { type Credential, everyone } from './credential.ts'
import { credentialOf, deleteCredential, type Stored } from './credential-table.ts'
import { fits } from './fits.ts'
import { InUse, Live } from './live.ts'
import { connectNeeded, notAccepted, notAllowed, widerNeeded } from './needed.ts'
import { obtain } from './obtain.ts'
import { contentOf, noteTrouble, type Renewing, type RenewParts, refreshed, renew } from './renew.ts'

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
  live(opened: Opened, asker: Asker): Credentials | Promise<Credentials>
  /** Something may have changed in the database. */
  distrust(): void
}

/** A server that refuses credentials brings about new ones, and a failing renewal another try, no more often than this. */
const pauseMilliseconds = 5000
/** More than these are not remembered; the database has them all. */
const mostRemembered = 10_000

type CustodyParts = RenewParts & Pick<Links, 'withLink'> & { readonly onBehalf: OnBehalfOf }

export function openCustody(parts: CustodyParts): Custody {
  return new Remembered(parts)
}

/** A server that is used, and by whom. */
type Use = { readonly opened: Opened; readonly asker: Asker }

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

  live(opened: Opened, asker: Asker): Credentials | Promise<Credentials> {
    const { passes } = opened.stored
    if (passes !== undefined) return this.#parts.onBehalf.pass(opened.upstream, passes, asker)
    const renew: InUse['renew'] = refusal => this.#rejected(opened, asker, refusal)
    const live = this.#live(opened, asker)
    return live instanceof Promise ? live.then(found => new InUse(found, renew)) : new InUse(live, renew)
  }

  #live(opened: Opened, asker: Asker): Live | Promise<Live> {
    const known = this.#byServer.get(opened.upstream)?.get(asker.id)
    const now = this.#parts.clock.now()
    if (known === undefined || known.epoch !== this.#epoch || known.goodUntil <= now)
      return this.#find(opened, asker)
    if (known.renewAt <= now) this.#renewQuietly({ opened, asker }, known)
    return known
  }

  distrust(): void {
    this.#epoch++
  }

  /** The server refused it: another one if there is one that it has not seen. */
  async #replace(opened: Opened, asker: Asker, { status, challenge, sent, sign }: Refusal): Promise<Live> {
    const { upstream } = opened
    const said = readChallenge(challenge)
    // Who may not do this is still who they are.
    if (status === 403 && said?.error !== 'insufficient_scope') throw notAllowed()
    const known = this.#byServer.get(upstream)?.get(asker.id)
    if (known === undefined) return this.#find(opened, asker)
    const { credential } = known
    if (said?.error === 'insufficient_scope')
      throw opened.stored.onBehalf === undefined ? widerNeeded(upstream, credential, said) : notAllowed()
    // While it was under way another took its place, and nothing is known against that one.
    if (known.sign !== sign || known.headers.some((text, at) => text !== sent[at])) return known
    const { serverId, owner } = credential
    const stored = await credentialOf(this.#parts.database.kysely, { serverId, owner })
    const trouble = stored?.credential.trouble ?? null
    if (trouble !== null) throw connectNeeded(upstream, trouble)
    if (stored !== undefined && !isSame(stored.credential, credential))
      return this.#use(opened, asker, fitting(opened, stored))
    // A server that refuses what was got just now will refuse the next as well.
    const isUnderWay = this.#renewals.has(credential.id)
    if (!isUnderWay && this.#isRefusedAgain(`${serverId} ${owner}`)) throw notAccepted()
    this.#lookAnew(opened, said)
    if (credential.isRefreshable && credential.trouble === null)
      return this.#renewed({ opened, asker }, known).catch(error => {
        // Nothing was got, so the next refusal is of nothing new.
        this.#refusedAt.delete(`${serverId} ${owner}`)
        throw error
      })
    if (opened.stored.by === 'gateway') return this.#use(opened, asker, await this.#obtain(opened, everyone))
    await noteTrouble(
      this.#parts,
      { upstream, credential },
      { trouble: 'rejected', now: this.#parts.clock.now() },
    )
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
    const owners = way.owners(asker)
    if (owners.length === 0 && way.onBehalf !== undefined) throw personNeeded(upstream)
    for (const owner of owners) {
      const stored = await credentialOf(this.#parts.database.kysely, { serverId: upstream.id, owner })
      if (stored !== undefined && fits(opened, stored.credential))
        return this.#usable(opened, asker, await this.#ofPresentSignIn(opened, stored))
      if (way.onBehalf !== undefined)
        return this.#usable(opened, asker, fitting(opened, await this.#parts.onBehalf.room(opened, owner)))
      if (way.by === 'gateway') return this.#use(opened, asker, await this.#obtain(opened, owner))
      if (stored !== undefined) throw connectNeeded(upstream, 'moved')
    }
    throw connectNeeded(upstream, 'none')
  }

  /** What a sign-in brought ends with it, wherever they signed out. What they have now may bring another. */
  async #ofPresentSignIn(opened: Opened, stored: Stored): Promise<Stored> {
    const { onBehalf } = this.#parts
    const way = opened.stored.onBehalf
    if (way === undefined || !(await onBehalf.isOver(way, stored))) return stored
    const { id, owner } = stored.credential
    await deleteCredential(this.#parts.database.kysely, id)
    return fitting(opened, await onBehalf.room(opened, owner))
  }

  /** One that is at its end is renewed first. */
  #usable(opened: Opened, asker: Asker, stored: Stored): Live | Promise<Live> {
    const live = this.#use(opened, asker, stored)
    const { credential } = stored
    if (live.goodUntil > this.#parts.clock.now()) return live
    if (opened.stored.by === 'gateway' && !credential.isRefreshable)
      return this.#obtain(opened, credential.owner).then(next => this.#use(opened, asker, next))
    if (credential.trouble !== null) return this.#afterTrouble(opened, asker, credential)
    if (!credential.isRefreshable) throw connectNeeded(opened.upstream, 'refused')
    return this.#renewed({ opened, asker }, live)
  }

  async #afterTrouble(opened: Opened, asker: Asker, { trouble, ...refused }: Credential): Promise<Live> {
    const { upstream } = opened
    if (!(await this.#parts.onBehalf.forgiven(opened, asker, { ...refused, trouble })))
      throw connectNeeded(upstream, trouble ?? 'none')
    return this.#find(opened, asker)
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
    const environment = (sealed: Stored) => ({
      ...opened.environment(),
      ...opened.stored.environment?.(contentOf(this.#parts.seals, sealed)),
    })
    const signer = (sealed: Stored) => opened.stored.sign?.(contentOf(this.#parts.seals, sealed))
    const live = new Live(stored, { headers, epoch: this.#epoch, environment, signer })
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

  #renewQuietly(use: Use, live: Live): void {
    const { id } = live.credential
    if (this.#renewals.has(id) || (this.#pausedUntil.get(id) ?? 0) > this.#parts.clock.elapsed()) return
    // Whoever uses it next hears of it: as long as it is good there is nothing to say.
    this.#renewed(use, live).catch(() => undefined)
  }

  #renewed(use: Use, live: Live): Promise<Live> {
    const { id } = live.credential
    const renewing = this.#renewals.get(id) ?? this.#renew(use, live).finally(() => this.#renewals.delete(id))
    this.#renewals.set(id, renewing)
    return renewing
  }

  async #renew({ opened, asker }: Use, live: Live): Promise<Live> {
    const { upstream } = opened
    const { credential } = live
    try {
      const stored = await renew(this.#parts, {
        upstream,
        credential,
        ...this.#again({ opened, asker }, credential),
      })
      this.#pausedUntil.delete(credential.id)
      live.renewed(stored, this.#headersOf(opened, stored), this.#epoch)
      // What another process found out while this one waited.
      const { trouble } = stored.credential
      if (trouble !== null && live.goodUntil <= this.#parts.clock.now())
        throw connectNeeded(upstream, trouble)
      return live
    } catch (error) {
      this.#pausedUntil.set(credential.id, this.#parts.clock.elapsed() + pauseMilliseconds)
      const isOver = error instanceof GatewayError && error.code === 'vault.connect_needed'
      if (isOver) live.renewAt = Number.POSITIVE_INFINITY
      throw error
    }
  }

  #again({ opened, asker }: Use, credential: Credential): Pick<Renewing, 'again' | 'refusedAs'> {
    const { upstream, stored: way } = opened
    const parts = this.#parts
    const { oauth: settings, onBehalf } = way
    if (onBehalf !== undefined)
      return { again: () => this.#parts.onBehalf.obtain(opened, asker, credential), refusedAs: 'sign-in' }
    return {
      async again(content) {
        if (settings === undefined) throw connectNeeded(upstream, 'refused')
        return { tokens: await refreshed(parts, { upstream, settings, credential }, content) }
      },
    }
  }

  /** What the gateway gets by itself; one at a time in this process, and of several processes each may get its own. */
  #obtain(opened: Opened, owner: string): Promise<Stored> {
    const key = `${opened.upstream.id} ${opened.upstream.version} ${owner}`
    const obtaining =
      this.#obtaining.get(key) ??
      obtain(this.#parts, opened, owner).finally(() => this.#obtaining.delete(key))
    this.#obtaining.set(key, obtaining)
    return obtaining
  }
}

/** What is there now may be for where the server was, or will be. */
function fitting(opened: Opened, stored: Stored): Stored {
  if (!fits(opened, stored.credential)) throw connectNeeded(opened.upstream, 'moved')
  return stored
}

function isSame(a: Credential, b: Credential): boolean {
  return a.id === b.id && a.version === b.version
}
