/** The vault's keys in memory, for as long as their providers stand by them. */
import type { Clock } from '../../foundation/clock.ts'
import { fail } from '../../foundation/errors.ts'
import type { Kek, Keks } from '../seal.ts'

export type HeldKey = {
  readonly kek: Kek
  /** Of a provider elsewhere, who has to confirm it again and again. */
  readonly isRemote: boolean
}

/** Without word from a provider for this long, its keys are not used any more. */
export const trustMilliseconds = 300_000

export class KeyRing implements Keks {
  readonly #clock: Clock
  readonly #known = new Set<string>()
  #held = new Map<string, HeldKey>()
  #activeId: string | undefined
  /** Why the keys that are needed are not all here. */
  #missing: string | undefined = 'the keys were not read yet'
  #confirmedAt: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#confirmedAt = clock.elapsed()
  }

  active(): Kek {
    this.#checkOpen()
    const held = this.#activeId === undefined ? undefined : this.#held.get(this.#activeId)
    return held?.kek ?? this.#locked(this.#missing)
  }

  find(id: string): Kek | undefined {
    this.#checkOpen()
    const held = this.#held.get(id)
    if (held === undefined && this.#missing !== undefined) this.#locked(this.#missing)
    return held?.kek
  }

  held(id: string): Kek | undefined {
    return this.#held.get(id)?.kek
  }

  /** Was it ever here? */
  knew(id: string): boolean {
    return this.#known.has(id)
  }

  hold(key: HeldKey): void {
    this.#known.add(key.kek.id)
    this.#held.set(key.kek.id, key)
  }

  /** All that is needed is here. */
  complete(activeId: string | undefined): void {
    this.#activeId = activeId
    this.#missing = undefined
  }

  /** Something that is needed is not here. */
  lacks(activeId: string | undefined, why: string): void {
    this.#activeId = activeId
    this.#missing = why
  }

  /** Every provider elsewhere stands by its keys. */
  confirm(): void {
    this.#confirmedAt = this.#clock.elapsed()
  }

  /** Why nothing can be opened; undefined while it can. */
  lockedBecause(): string | undefined {
    if (this.#activeId === undefined || !this.#held.has(this.#activeId)) return this.#missing
    const isOld = this.#clock.elapsed() - this.#confirmedAt > trustMilliseconds
    if (!isOld || !this.#hasRemote()) return undefined
    return 'the provider of a key did not confirm it for 5 minutes'
  }

  /** Forgets the keys of providers elsewhere. */
  forget(): void {
    for (const [id, { kek, isRemote }] of this.#held) {
      if (!isRemote) continue
      kek.key.fill(0)
      this.#held.delete(id)
    }
  }

  #hasRemote(): boolean {
    for (const { isRemote } of this.#held.values()) if (isRemote) return true
    return false
  }

  #checkOpen(): void {
    const why = this.lockedBecause()
    if (why !== undefined) this.#locked(why)
  }

  #locked(why = 'no key is active'): never {
    return fail('vault.locked', { why: `Stored secrets cannot be opened: ${why}.` })
  }
}
