/** Lists as they were made for a caller and are sent: kept as long as what they are made of stays, and up to so many bytes. */
import type { Principal } from '../identity/index.ts'
import type { Composition } from '../servers/index.ts'

const mostBytes = 64 * 1024 * 1024

type Lists = Map<string, Buffer>

export class KeptLists {
  readonly #most: number
  /** A composition that changed is another object, and so is a caller who did. */
  readonly #lists = new WeakMap<Composition, WeakMap<Principal, Lists>>()
  /** The oldest first. */
  readonly #kept = new Map<Buffer, { readonly lists: Lists; readonly place: string }>()
  #bytes = 0

  constructor(most: number = mostBytes) {
    this.#most = most
  }

  /** The list at this place, made where it is not kept. */
  get(composition: Composition, principal: Principal, place: string, make: () => Buffer): Buffer {
    const lists = this.#of(composition, principal)
    const known = lists.get(place)
    if (known !== undefined) return known
    const made = make()
    lists.set(place, made)
    this.#kept.set(made, { lists, place })
    this.#bytes += made.length
    this.#forgetOldest(made)
    return made
  }

  #of(composition: Composition, principal: Principal): Lists {
    const callers = this.#lists.get(composition) ?? new WeakMap<Principal, Lists>()
    this.#lists.set(composition, callers)
    const lists = callers.get(principal) ?? new Map<string, Buffer>()
    callers.set(principal, lists)
    return lists
  }

  #forgetOldest(latest: Buffer): void {
    for (const [list, { lists, place }] of this.#kept) {
      if (this.#bytes <= this.#most || list === latest) return
      this.#kept.delete(list)
      this.#bytes -= list.length
      lists.delete(place)
    }
  }
}
