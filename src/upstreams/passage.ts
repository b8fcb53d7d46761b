import { badAnswer } from './message.ts'

/** `hold`: waits until it is known whether it passes. */
type Way = 'pass' | 'hold' | 'skip'

/** More than this never waits: a key and the space around it are shorter. */
const maxHeld = 4096

/** Bytes on their way through in chunks: some pass, some are left out, some wait for a decision, and some are put in between. */
export class Passage {
  #way: Way = 'pass'
  #chunk: Buffer = Buffer.alloc(0)
  #from = 0
  #out: Buffer[] = []
  #held: Buffer[] = []
  #heldBytes = 0

  begin(chunk: Buffer): void {
    this.#chunk = chunk
    this.#from = 0
    this.#out = []
  }

  /** From `at` of this chunk on, bytes go this way. */
  turn(at: number, way: Way): void {
    this.#take(at)
    this.#way = way
  }

  insert(bytes: Buffer): void {
    this.#out.push(bytes)
  }

  /** What was held passes, without its first `less` bytes. */
  release(less: number): void {
    const held = this.#held.length === 1 ? this.#held[0] : Buffer.concat(this.#held)
    if (held !== undefined && held.length > less) this.#out.push(held.subarray(less))
    this.forget()
  }

  /** What was held is left out. */
  forget(): void {
    this.#held = []
    this.#heldBytes = 0
  }

  /** What passes of this chunk. */
  end(): Buffer[] {
    this.#take(this.#chunk.length)
    return this.#out
  }

  #take(to: number): void {
    const bytes = this.#chunk.subarray(this.#from, to)
    this.#from = to
    if (bytes.length === 0 || this.#way === 'skip') return
    if (this.#way === 'pass') return void this.#out.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes > maxHeld) throw badAnswer('A member of the answer is too long.')
    this.#held.push(bytes)
  }
}
