import type { Log } from '../foundation/log.ts'

const flushMilliseconds = 5000

/** When tokens were last used, written every few seconds: exact to the interval, and one set entry on the hot path. */
export class LastUse {
  #used = new Set<string>()
  readonly #write: (tokenIds: readonly string[]) => Promise<void>
  readonly #log: Log
  readonly #timer: NodeJS.Timeout

  constructor(write: (tokenIds: readonly string[]) => Promise<void>, log: Log) {
    this.#write = write
    this.#log = log
    this.#timer = setInterval(() => this.flush(), flushMilliseconds).unref()
  }

  note(tokenId: string): void {
    this.#used.add(tokenId)
  }

  /** Never rejects: what could not be written is tried again next time. */
  async flush(): Promise<void> {
    if (this.#used.size === 0) return
    const batch = this.#used
    this.#used = new Set()
    try {
      await this.#write([...batch])
    } catch (error) {
      for (const tokenId of batch) this.#used.add(tokenId)
      this.#log.warn({ err: error }, 'The last use of tokens could not be written; it will be tried again.')
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }
}
