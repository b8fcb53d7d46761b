import type { Credentials } from '../../upstreams/index.ts'
import type { Credential } from './credential.ts'

/** How long before its end a credential is renewed: a fifth of its life, a minute at most. */
const renewShare = 0.2
const renewMilliseconds = 60_000
/** Nothing is sent that may have ended when it arrives: a twentieth of its life, five seconds at most. */
const arriveShare = 0.05
const arriveMilliseconds = 5000
/** Where nobody says when it ends, it is used until it is refused. */
const never = Number.POSITIVE_INFINITY

/** A credential in use. Whoever was equipped with it sees its headers of now. */
export class Live implements Credentials {
  headers: readonly string[]
  credential: Credential
  /** From then on it is renewed, while it is used. */
  renewAt: number
  /** From then on it is not used. */
  goodUntil: number
  /** What was known of changes in the database when it was read. */
  epoch: number
  readonly renew: NonNullable<Credentials['renew']>

  constructor(credential: Credential, { headers, epoch, renew }: Pick<Live, 'headers' | 'epoch' | 'renew'>) {
    this.renew = renew
    this.headers = headers
    this.credential = credential
    this.epoch = epoch
    this.renewAt = never
    this.goodUntil = never
    this.renewed(credential, headers, epoch)
  }

  renewed(credential: Credential, headers: readonly string[], epoch: number): void {
    this.headers = headers
    this.credential = credential
    this.epoch = epoch
    const { expiresAt, refreshedAt, createdAt, isRefreshable, trouble } = credential
    const life = expiresAt === null ? never : Math.max(0, expiresAt - (refreshedAt ?? createdAt))
    this.goodUntil = expiresAt === null ? never : expiresAt - Math.min(arriveMilliseconds, life * arriveShare)
    const isRenewed = isRefreshable && trouble === null && expiresAt !== null
    this.renewAt = isRenewed ? expiresAt - Math.min(renewMilliseconds, life * renewShare) : never
  }

  environment(): Readonly<Record<string, string>> {
    return {}
  }
}
