import type { Exchange } from './exchange.ts'
import type { OutletWatcher } from './outlet.ts'
import type { KeptEvent, KeptStream } from './replay.ts'
import { ResponseOutlet } from './response-outlet.ts'
import type { OpenStream } from './streams.ts'

export type FollowOptions = {
  /** Keeps what is said for a client that comes back; undefined where the transport has no coming back. */
  readonly kept: KeptStream | undefined
  /** Is it open for as long as its client likes, or is there something under way on it? */
  isLasting(): boolean
  /** The session is in use as long as its stream is. */
  used(): void
  /** `isAway`: the client lost it and may come back. */
  ended(isAway: boolean): void
}

export type Opening = {
  /** An event that stands at the beginning. */
  readonly first: Buffer | undefined
  /** What was said while the client was away. */
  readonly missed: readonly KeptEvent[]
}

/** The stream that a client opened with GET: what its server says unasked, and nothing of anybody else. */
export class Follow implements OpenStream, OutletWatcher {
  seat: number | undefined
  readonly exchange: Exchange
  readonly kept: KeptStream | undefined
  readonly #options: FollowOptions
  readonly #way: ResponseOutlet
  /** Others that give to this stream, and have to know how it is taken. */
  #watchers: Set<OutletWatcher> | undefined
  #isOver = false

  constructor(exchange: Exchange, options: FollowOptions) {
    this.exchange = exchange
    this.kept = options.kept
    this.#options = options
    this.#way = new ResponseOutlet(exchange.response)
    this.#way.watch(this)
  }

  get isLasting(): boolean {
    return this.#options.isLasting()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Opens it. False when it was over before it began. */
  open({ first, missed }: Opening): boolean {
    if (this.#way.isGone) this.end()
    // It may have ended before it began, and been noted only since.
    if (this.#isOver) this.#options.ended(false)
    if (this.#isOver) return false
    this.#way.stream(first)
    for (const { message, id } of missed) this.#way.message(message, id)
    return true
  }

  say(message: Buffer): void {
    if (this.#isOver) return
    this.#options.used()
    this.#way.message(message, this.kept?.keep(message))
  }

  beat(): void {
    this.#options.used()
    this.#way.beat()
  }

  end(): void {
    this.#end(false)
  }

  addWatcher(watcher: OutletWatcher): void {
    this.#watchers ??= new Set()
    this.#watchers.add(watcher)
  }

  removeWatcher(watcher: OutletWatcher): void {
    this.#watchers?.delete(watcher)
  }

  gone(): void {
    this.#end(true)
  }

  full(): void {
    for (const watcher of this.#watchers ?? []) watcher.full()
  }

  ready(): void {
    for (const watcher of this.#watchers ?? []) watcher.ready()
  }

  // Nothing here can be held back: what a client does not read it does not get.
  stalled(): void {
    this.#way.cut()
  }

  #end(isAway: boolean): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.ended(isAway)
    this.#way.end()
    for (const watcher of [...(this.#watchers ?? [])]) watcher.gone()
  }
}
