import type { GatewayError } from '../../foundation/errors.ts'

type Done = (error?: GatewayError) => void

/** Who waits for a subscription to a resource. */
export class Waiting {
  readonly #byUri = new Map<string, Set<Done>>()

  /** Gives the function that stops waiting. */
  add(uri: string, done: Done): () => void {
    const all = this.#byUri.get(uri) ?? new Set()
    this.#byUri.set(uri, all.add(done))
    return () => {
      if (all.delete(done) && all.size === 0 && this.#byUri.get(uri) === all) this.#byUri.delete(uri)
    }
  }

  has(uri: string): boolean {
    return this.#byUri.has(uri)
  }

  settle(uri: string, error?: GatewayError): void {
    const all = this.#byUri.get(uri)
    this.#byUri.delete(uri)
    for (const done of all ?? []) done(error)
  }
}
