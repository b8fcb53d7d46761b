import type { Passage } from './passage.ts'
import type { ResultEdits } from './sink.ts'

/**
 * Leaves members of a result out and adds others, while it passes. A comma belongs to the member after it; so what is left
 * out of a member goes from there to the next comma, or to the end.
 */
export class ResultMembers {
  readonly #passage: Passage
  readonly #drop: ReadonlySet<string>
  readonly #add: ResultEdits['add']
  readonly #present = new Set<string>()
  #isAfterComma = false

  constructor(passage: Passage, { drop, add }: ResultEdits) {
    this.#passage = passage
    this.#drop = drop ?? new Set()
    this.#add = add
  }

  /** The result has begun; what follows at `at` is its first member or its end. */
  opened(at: number): void {
    this.#present.clear()
    this.#isAfterComma = false
    this.#passage.turn(at, 'hold')
  }

  /** The comma before a member stands at `at`. */
  separated(at: number): void {
    this.#isAfterComma = true
    this.#passage.turn(at, 'hold')
  }

  /** A member has this key, and its value begins at `at`. False: it is left out. */
  named(key: string, at: number): boolean {
    const isKept = !this.#drop.has(key)
    this.#passage.turn(at, isKept ? 'pass' : 'skip')
    if (isKept) this.#passage.release(this.#isAfterComma && this.#present.size === 0 ? 1 : 0)
    else this.#passage.forget()
    if (isKept) this.#present.add(key)
    return isKept
  }

  /** The brace that ends the result stands at `at`. */
  closed(at: number): void {
    this.#passage.turn(at, 'pass')
    this.#passage.release(0)
    for (const [key, value] of Object.entries(this.#add ?? {})) {
      if (this.#present.has(key)) continue
      this.#passage.insert(
        Buffer.from(`${this.#present.size === 0 ? '' : ','}${JSON.stringify(key)}:${value}`),
      )
      this.#present.add(key)
    }
  }
}
