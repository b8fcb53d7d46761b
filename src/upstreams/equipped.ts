import type { Presented } from '../foundation/presented.ts'
import type { Caller } from '../foundation/route.ts'
import type { Upstream } from './upstream.ts'

declare const equipped: unique symbol

/** For whom something is asked of a server, as far as credentials care. */
export type Asker = Pick<Caller, 'id' | 'subjects' | 'client'> & {
  readonly kind: Caller['kind'] | 'gateway'
  /** The token of their identity provider that this very request came with; absent for every other. */
  readonly presented?: Presented | undefined
  /** What their client brought for servers, by the id of each: as with their token, for this request alone. */
  readonly brought?: ReadonlyMap<string, OwnCredentials> | undefined
}

/** An answer of 401 or 403, and its `WWW-Authenticate`. */
export type RefusedCredentials = { readonly status: number; readonly challenge: string }

/** A request as it leaves, for what is signed. */
export type Signable = {
  readonly method: string
  /** As in the `Host` header. */
  readonly host: string
  /** With the query. */
  readonly path: string
  /** Flat [name, value, ...] pairs, without `Host`. */
  readonly headers: readonly string[]
  readonly body: Buffer | null
}

/** Further headers, as flat pairs, that hold for this one request. */
export type Sign = (request: Signable) => readonly string[]

/** With the headers that the request had: others may have taken their place meanwhile. */
export type Refusal = RefusedCredentials & {
  readonly sent: readonly string[]
  readonly sign?: Sign | undefined
}

/** What authenticates requests. The object lives as long as the credential is kept; its headers change when the credential is renewed. */
export type Credentials = {
  /** Flat [name, value, ...] pairs, ready for the wire. */
  readonly headers: readonly string[]
  /** Where every request is signed by itself. */
  readonly sign?: Sign | undefined
  /** The variables of a stdio server's process; opened only when one is started. */
  environment(): Readonly<Record<string, string>>
  /** Another one when what is open must not be gone on with: a process that runs has the variables it was started with. */
  readonly edition?: string | undefined
  /** The server refused them: resolves when there are others. Absent where there never are. Throws what the caller is to be told. */
  readonly renew?: ((refused: Refusal) => Promise<void>) | undefined
}

/** What a client brought along for one server, in place of or beside what is configured. */
export type OwnCredentials = {
  /** In lower case. */
  readonly names: readonly string[]
  /** The same for the same headers, in this process: keys what must not be shared. */
  readonly digest: string
  /** Flat [name, value, ...] pairs. */
  readonly pairs: readonly string[]
  /** Some of them authenticate, and then nothing that is configured does. */
  readonly isAuthentication: boolean
}

/** An upstream together with what authenticates the gateway to it, for a caller who was cleared. Every request needs one. */
export type Equipped = {
  readonly upstream: Upstream
  /** Those of now: read them for each request, and keep none. */
  readonly headers: readonly string[]
  readonly sign: Credentials['sign']
  environment(): Readonly<Record<string, string>>
  readonly renew: Credentials['renew']
  readonly edition: Credentials['edition']
  /** Who it is for: keys what must not be shared between callers. */
  readonly principalId: string
  /** Brought by the client for this request. */
  readonly own: OwnCredentials | undefined
  /** Another of the same, for what lives longer than its request. */
  apart(): Equipped
  /** From now on with what a later request of the same session was equipped with. */
  follow(later: Equipped): void
  readonly [equipped]: true
}

/** The gateway where it asks for itself: nothing a server says then is about anybody. */
export const gatewayItself: Asker = Object.freeze({
  id: 'gateway',
  kind: 'gateway',
  subjects: Object.freeze([]),
})

type Parts = Pick<Equipped, 'upstream' | 'principalId'> & {
  readonly credentials: Credentials
  readonly own?: OwnCredentials | undefined
}

class EquippedUpstream {
  readonly upstream: Upstream
  readonly principalId: string
  #own: OwnCredentials | undefined
  #credentials: Credentials

  constructor({ upstream, principalId, credentials, own }: Parts) {
    this.#own = own
    this.upstream = upstream
    this.principalId = principalId
    this.#credentials = credentials
  }

  get headers(): readonly string[] {
    return this.#credentials.headers
  }

  get sign(): Credentials['sign'] {
    return this.#credentials.sign
  }

  get own(): OwnCredentials | undefined {
    return this.#own
  }

  apart(): Equipped {
    const { upstream, principalId } = this
    return markEquipped({ upstream, principalId, credentials: this.#credentials, own: this.#own })
  }

  follow(later: Equipped): void {
    if (!(later instanceof EquippedUpstream) || later.upstream.id !== this.upstream.id) return
    this.#own = later.#own
    this.#credentials = later.#credentials
  }

  environment(): Readonly<Record<string, string>> {
    return this.#credentials.environment()
  }

  get edition(): Credentials['edition'] {
    return this.#credentials.edition
  }

  get renew(): Credentials['renew'] {
    return this.#credentials.renew
  }
}

/** For the vault alone (an architecture test holds everybody else to it): marks what access cleared and the vault equipped. */
export function markEquipped(parts: Parts): Equipped {
  return new EquippedUpstream(parts) as EquippedUpstream & Equipped
}
