import type { Credentials, Sign } from '../../upstreams/index.ts'
import type { Credential } from './credential.ts'
import type { Stored } from './credential-table.ts'

/** How long before its end a credential is renewed: a fifth of its life, a minute at most. */
const renewShare = 0.2
const renewMilliseconds = 60_000
/** Nothing is sent that may have ended when it arrives: a twentieth of its life, five seconds at most. */
const arriveShare = 0.05
const arriveMilliseconds = 5000
/** Where nobody says when it ends, it is used until it is refused. */
const never = Number.POSITIVE_INFINITY

type Use = Pick<Live, 'headers' | 'epoch'> & {
  signer(stored: Stored): Sign | undefined
  /** Opened only when a process is started. */
  environment(stored: Stored): Readonly<Record<string, string>>
}

/** A credential in use. Whoever was equipped with it sees its headers of now. It knows nobody who asked for it, and nothing that they brought. */
export class Live implements Omit<Credentials, 'renew'> {
  headers: readonly string[]
  /** From then on it is renewed, while it is used. */
  renewAt = never
  /** From then on it is not used. */
  goodUntil = never
  /** What was known of changes in the database when it was read. */
  epoch: number
  readonly #environment: Use['environment']
  readonly #signer: Use['signer']
  sign: Sign | undefined
  #stored: Stored

  constructor(stored: Stored, { headers, epoch, environment, signer }: Use) {
    this.headers = headers
    this.epoch = epoch
    this.#environment = environment
    this.#signer = signer
    this.#stored = stored
    this.renewed(stored, headers, epoch)
  }

  get credential(): Credential {
    return this.#stored.credential
  }

  /** Tokens are renewed without anything else becoming other; values that are given anew are others. */
  get edition(): string | undefined {
    return this.credential.kind === 'values' ? this.credential.id : undefined
  }

  renewed(stored: Stored, headers: readonly string[], epoch: number): void {
    this.headers = headers
    this.#stored = stored
    this.sign = this.#signer(stored)
    this.epoch = epoch
    const { expiresAt, refreshedAt, createdAt, isRefreshable, trouble } = stored.credential
    const life = expiresAt === null ? never : Math.max(0, expiresAt - (refreshedAt ?? createdAt))
    this.goodUntil = expiresAt === null ? never : expiresAt - Math.min(arriveMilliseconds, life * arriveShare)
    const isRenewed = isRefreshable && trouble === null && expiresAt !== null
    this.renewAt = isRenewed ? expiresAt - Math.min(renewMilliseconds, life * renewShare) : never
  }

  environment(): Readonly<Record<string, string>> {
    return this.#environment(this.#stored)
  }
}

/** A credential in somebody's hands: renewed for them, with what they came with. */
export class InUse implements Credentials {
  readonly #live: Live
  readonly renew: NonNullable<Credentials['renew']>

  constructor(live: Live, renew: InUse['renew']) {
    this.#live = live
    this.renew = renew
  }

  get headers(): readonly string[] {
    return this.#live.headers
  }

  get sign(): Sign | undefined {
    return this.#live.sign
  }

  get edition(): string | undefined {
    return this.#live.edition
  }

  environment(): Readonly<Record<string, string>> {
    return this.#live.environment()
  }
}
