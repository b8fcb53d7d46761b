/** The answers to a batch: one JSON array where there is nothing but answers, one event stream where there is more. */
import type { Outlet, OutletWatcher } from './outlet.ts'
import type { ResponseOutlet } from './response-outlet.ts'
import { unreadBytes } from './unread.ts'

export class BatchAnswer implements OutletWatcher {
  readonly #way: ResponseOutlet
  readonly #watchers = new Set<OutletWatcher>()
  #waiting: number
  #held: Buffer[] = []
  #heldBytes = 0
  #isStream = false

  constructor(way: ResponseOutlet, messages: number) {
    this.#way = way
    this.#waiting = messages
    way.watch(this)
  }

  get isGone(): boolean {
    return this.#way.isGone
  }

  get watchers(): Set<OutletWatcher> {
    return this.#watchers
  }

  stream(): void {
    if (this.#isStream) return
    this.#isStream = true
    this.#way.stream()
    for (const answer of this.#held.splice(0)) this.#way.message(answer)
  }

  message(bytes: Buffer): void {
    this.stream()
    this.#way.message(bytes)
  }

  /** One message is done with, with its answer where it has one. */
  settle(answer: Buffer | undefined): void {
    this.#waiting--
    if (answer !== undefined) this.#give(answer)
    if (this.#waiting > 0) return
    this.#way.unwatch()
    if (this.#isStream) this.#way.end()
    else if (this.#held.length === 0) this.#way.taken()
    else this.#way.answer(arrayOf(this.#held), 200)
  }

  cut(): void {
    this.#way.cut()
  }

  gone(): void {
    for (const watcher of [...this.#watchers]) watcher.gone()
  }

  full(): void {
    for (const watcher of this.#watchers) watcher.full()
  }

  ready(): void {
    for (const watcher of this.#watchers) watcher.ready()
  }

  stalled(): void {
    for (const watcher of [...this.#watchers]) watcher.stalled()
  }

  #give(answer: Buffer): void {
    if (this.#isStream) return this.#way.message(answer)
    this.#held.push(answer)
    this.#heldBytes += answer.length
    if (this.#heldBytes > unreadBytes) this.stream()
  }
}

function arrayOf(answers: readonly Buffer[]): Buffer {
  const comma = Buffer.from(',')
  const parts = answers.flatMap((answer, i) => (i === 0 ? [answer] : [comma, answer]))
  return Buffer.concat([Buffer.from('['), ...parts, Buffer.from(']')])
}

/** The place of one message in the answers to its batch. One that asks for no answer gets none, not even an error (JSON-RPC 2.0, 4.1). */
export class BatchOutlet implements Outlet {
  readonly pieces = undefined
  readonly #to: BatchAnswer
  readonly #isRequest: boolean
  #watcher: OutletWatcher | undefined
  #isSettled = false

  constructor(to: BatchAnswer, isRequest: boolean) {
    this.#to = to
    this.#isRequest = isRequest
  }

  get isGone(): boolean {
    return this.#isSettled || this.#to.isGone
  }

  watch(watcher: OutletWatcher): void {
    this.#watcher = watcher
    this.#to.watchers.add(watcher)
  }

  unwatch(): void {
    if (this.#watcher !== undefined) this.#to.watchers.delete(this.#watcher)
  }

  stream(): void {
    this.#to.stream()
  }

  message(bytes: Buffer): void {
    if (!this.#isSettled) this.#to.message(bytes)
  }

  answer(bytes: Buffer): void {
    this.#settle(this.#isRequest ? bytes : undefined)
  }

  taken(): void {
    this.#settle(undefined)
  }

  beat(): void {}

  cut(): void {
    this.#to.cut()
  }

  #settle(answer: Buffer | undefined): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#to.settle(answer)
  }
}
