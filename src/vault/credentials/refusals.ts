import type { Clock } from '../../foundation/clock.ts'
import type { Credential } from './credential.ts'

/** A server that refuses credentials brings about new ones no more often than this. */
const pauseMilliseconds = 5000
const mostRemembered = 10_000

type Whose = Pick<Credential, 'serverId' | 'owner'>

const keyOf = ({ serverId, owner }: Whose) => `${serverId} ${owner}`

/** When a refusal last brought about another credential: a server that refuses what was got just now will refuse the next as well. */
export class Refusals {
  readonly #clock: Clock
  readonly #at = new Map<string, number>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  isAgain(whose: Whose): boolean {
    const [key, now] = [keyOf(whose), this.#clock.elapsed()]
    if (now - (this.#at.get(key) ?? Number.NEGATIVE_INFINITY) < pauseMilliseconds) return true
    const [oldest] = this.#at.keys()
    if (this.#at.size >= mostRemembered && oldest !== undefined) this.#at.delete(oldest)
    this.#at.set(key, now)
    return false
  }

  /** Nothing was got, so the next refusal is of nothing new. */
  forget(whose: Whose): void {
    this.#at.delete(keyOf(whose))
  }
}
