/** The credentials in use: from the database once, then from memory until they have to be renewed. */
import { GatewayError } from '../../foundation/errors.ts'
import type { Asker, Credentials, Refusal, Upstream } from '../../upstreams/index.ts'
import type { Stored as StoredWay } from '../auth-types/auth-type.ts'
import type { Links } from '../connect/link.ts'
import { type Challenge, readChallenge } from '../oauth/challenge.ts'
import { personNeeded } from '../on-behalf/errors.ts'
import type { OnBehalfOf } from '../on-behalf/open.ts'
import { againFor } from './again.ts'
import { type Credential, everyone } from './credential.ts'
import { credentialOf, deleteSeen, type Stored } from './credential-table.ts'
import { fits, fitting } from './fits.ts'
import { InUse, Live } from './live.ts'
import { connectNeeded, notAccepted, notAllowed, widerNeeded } from './needed.ts'
import { obtain } from './obtain.ts'
import { Refusals } from './refusals.ts'
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
  live(opened: Opened, asker: Asker): Credentials | Promise<Credentials>
  /** Something may have changed in the database. */
  distrust(): void
}

/** A failing renewal brings about another try no more often than this. */
const pauseMilliseconds = 5000
/** More than these are not remembered; the database has them all. */
const mostRemembered = 10_000

type CustodyParts = RenewParts & Pick<Links, 'withLink'> & { readonly onBehalf: OnBehalfOf }

export function openCustody(parts: CustodyParts): Custody {
  return new Remembered(parts)
}

/** A server that is used, by whom, and what was known of changes in the database when that began. */
type Use = { readonly opened: Opened; readonly asker: Asker; readonly epoch: number }

class Remembered implements Custody {
  readonly #parts: CustodyParts
  readonly #byServer = new WeakMap<Upstream, Map<string, Live>>()
  /** Renewals under way, by credential. */
  readonly #renewals = new Map<string, Promise<Live>>()
  readonly #obtaining = new Map<string, Promise<Stored>>()
  readonly #pausedUntil = new Map<string, number>()
  readonly #refusals: Refusals
  #epoch = 0

  constructor(parts: CustodyParts) {
    this.#parts = parts
    this.#refusals = new Refusals(parts.clock)
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
    if (known.renewAt <= now) this.#renewQuietly(this.#begun(opened, asker), known)
    return known
  }

  distrust(): void {
    this.#epoch++
  }

  #begun(opened: Opened, asker: Asker): Use {
    return { opened, asker, epoch: this.#epoch }
  }

  /** The server refused it: another one if there is one that it has not seen. */
  async #replace(opened: Opened, asker: Asker, { status, challenge, sent, sign }: Refusal): Promise<Live> {
    const { upstream } = opened
    const said = readChallenge(challenge)
    // Who may not do this is still who they are.
    if (status === 403 && said?.error !== 'insufficient_scope') throw notAllowed()
    const known = this.#byServer.get(upstream)?.get(asker.id)
    if (known === undefined) return this.#find(opened, asker)
    const use = this.#begun(opened, asker)
    const { credential } = known
    if (said?.error === 'insufficient_scope')
      throw opened.stored.onBehalf === undefined ? widerNeeded(upstream, credential, said) : notAllowed()
    // While it was under way another took its place, and nothing is known against that one.
    if (known.sign !== sign || known.headers.some((text, at) => text !== sent[at])) return known
    const { serverId, owner } = credential
    const stored = await credentialOf(this.#parts.database.kysely, { serverId, owner })
    const trouble = stored?.credential.trouble ?? null
    if (trouble !== null) throw connectNeeded(upstream, trouble)
    if (stored !== undefined && !isSame(stored.credential, credential)) {
      fitting(opened, stored)
      return this.#find(opened, asker)
    }
    if (!this.#isUnderWay(credential) && this.#refusals.isAgain(credential)) throw notAccepted()
    this.#lookAnew(opened, said)
    if (credential.isRefreshable && credential.trouble === null)
      return this.#renewed(use, known).catch(error => {
        this.#refusals.forget(credential)
        throw error
      })
    if (opened.stored.by === 'gateway') return this.#use(use, await this.#obtain(opened, everyone))
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

  async #rejected(opened: Opened, asker: Asker, refused: Refusal): Promise<void> {
    try {
      await this.#replace(opened, asker, refused)
    } catch (error) {
      throw this.#parts.withLink(error, opened.upstream, asker)
    }
  }

  async #find(opened: Opened, asker: Asker): Promise<Live> {
    const { upstream, stored: way } = opened
    const use = this.#begun(opened, asker)
    const owners = way.owners(asker)
    if (owners.length === 0 && way.onBehalf !== undefined) throw personNeeded(upstream)
    for (const owner of owners) {
      const stored = await credentialOf(this.#parts.database.kysely, { serverId: upstream.id, owner })
      if (stored !== undefined && fits(opened, stored.credential))
        return this.#usable(use, await this.#ofPresentSignIn(opened, stored))
      if (way.onBehalf !== undefined)
        return this.#usable(use, fitting(opened, await this.#parts.onBehalf.room(opened, owner)))
      if (way.by === 'gateway') return this.#use(use, await this.#obtain(opened, owner))
      if (stored !== undefined) throw connectNeeded(upstream, 'moved')
    }
    throw connectNeeded(upstream, 'none')
  }

  /** What a sign-in brought ends with it, wherever they signed out. What they have now may bring another. */
  async #ofPresentSignIn(opened: Opened, stored: Stored): Promise<Stored> {
    const { onBehalf } = this.#parts
    const way = opened.stored.onBehalf
    if (way === undefined || !(await onBehalf.isOver(way, stored))) return stored
    await deleteSeen(this.#parts.database.kysely, stored.credential)
    const present = fitting(opened, await onBehalf.room(opened, stored.credential.owner))
    return this.#ofPresentSignIn(opened, present)
  }

  /** One that is at its end is renewed first. */
  #usable(use: Use, stored: Stored): Live | Promise<Live> {
    const { opened } = use
    const live = this.#use(use, stored)
    const { credential } = stored
    if (live.goodUntil > this.#parts.clock.now()) return live
    if (opened.stored.by === 'gateway' && !credential.isRefreshable)
      return this.#obtain(opened, credential.owner).then(next => this.#use(use, next))
    if (credential.trouble !== null) return this.#afterTrouble(use, credential)
    if (!credential.isRefreshable) throw connectNeeded(opened.upstream, 'refused')
    return this.#renewed(use, live)
  }

  async #afterTrouble({ opened, asker }: Use, { trouble, ...refused }: Credential): Promise<Live> {
    const { upstream } = opened
    if (!(await this.#parts.onBehalf.forgiven(opened, asker, { ...refused, trouble })))
      throw connectNeeded(upstream, trouble ?? 'none')
    return this.#find(opened, asker)
  }

  #use({ opened, asker, epoch }: Use, stored: Stored): Live {
    const places = this.#placesOf(opened.upstream)
    const known = places.get(asker.id)
    const headers = this.#headersOf(opened, stored)
    // Who was equipped before an account took the place of another goes on with the other: it is the same person's.
    if (known !== undefined) {
      known.renewed(stored, headers, epoch)
      return known
    }
    const environment = (sealed: Stored) => ({
      ...opened.environment(),
      ...opened.stored.environment?.(contentOf(this.#parts.seals, sealed)),
    })
    const signer = (sealed: Stored) => opened.stored.sign?.(contentOf(this.#parts.seals, sealed))
    const live = new Live(stored, { headers, epoch, environment, signer })
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
    if (this.#isUnderWay(live.credential) || (this.#pausedUntil.get(id) ?? 0) > this.#parts.clock.elapsed())
      return
    // Whoever uses it next hears of it: as long as it is good there is nothing to say.
    this.#renewed(use, live).catch(() => undefined)
  }

  #isUnderWay({ id }: Credential): boolean {
    return this.#renewals.has(id) || this.#renewals.has(broughtFor(id))
  }

  #renewed(use: Use, live: Live): Promise<Live> {
    const { opened, asker } = use
    const { id } = live.credential
    const isBrought = opened.stored.onBehalf !== undefined && asker.presented !== undefined
    // What is enough for who brings a token may be too little for others, and the other way round.
    const key = isBrought ? broughtFor(id) : id
    const renewing =
      this.#renewals.get(key) ?? this.#renew(use, live).finally(() => this.#renewals.delete(key))
    this.#renewals.set(key, renewing)
    // It was taken away under it, with the sign-in that it came of: what they have now may do.
    return renewing.catch(error => {
      if (opened.stored.onBehalf !== undefined && isGone(error)) return this.#find(opened, asker)
      throw error
    })
  }

  async #renew(use: Use, live: Live): Promise<Live> {
    const { opened } = use
    const { upstream } = opened
    const { credential } = live
    try {
      const stored = await renew(this.#parts, {
        upstream,
        credential,
        ...againFor(this.#parts, { opened, asker: use.asker, credential }),
      })
      await this.#checkSignIn(opened, stored)
      this.#pausedUntil.delete(credential.id)
      live.renewed(stored, this.#headersOf(opened, stored), use.epoch)
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

  /** It may have ended while something was got with it. */
  async #checkSignIn({ upstream, stored: { onBehalf } }: Opened, stored: Stored): Promise<void> {
    if (onBehalf !== undefined && (await this.#parts.onBehalf.isOver(onBehalf, stored)))
      throw connectNeeded(upstream, 'none')
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

const broughtFor = (id: string) => `${id} brought`

function isGone(error: unknown): boolean {
  return error instanceof GatewayError && error.data?.reason === 'none'
}

function isSame(a: Credential, b: Credential): boolean {
  return a.id === b.id && a.version === b.version
}
