import type { Follow } from './follow.ts'
import type { Outlet, OutletWatcher } from './outlet.ts'

/** Into a stream that the client has open, among whatever else comes there. */
export class StreamOutlet implements Outlet {
  readonly pieces = undefined
  readonly #to: Follow
  #watcher: OutletWatcher | undefined
  #isAnswered = false

  constructor(to: Follow) {
    this.#to = to
  }

  get isGone(): boolean {
    return this.#to.isOver || this.#isAnswered
  }

  watch(watcher: OutletWatcher): void {
    this.#watcher = watcher
    this.#to.addWatcher(watcher)
  }

  unwatch(): void {
    if (this.#watcher !== undefined) this.#to.removeWatcher(this.#watcher)
  }

  stream(): void {}

  message(bytes: Buffer): void {
    if (!this.isGone) this.#to.say(bytes)
  }

  answer(bytes: Buffer): void {
    if (this.isGone) return
    this.#isAnswered = true
    this.#to.say(bytes)
  }

  taken(): void {}

  beat(): void {}

  cut(): void {
    this.#to.end()
  }
}
