import type { Exchange } from './exchange.ts'

/** A stream that stays open: it must stay allowed, and it must look alive. */
export type OpenStream = {
  readonly exchange: Exchange
  /** Writes a comment, so that nothing between here and the client takes it for dead. */
  beat(): void
  /** Ends it with what the protocol has for that. */
  end(): void
}

export type Streams = {
  add(stream: OpenStream): void
  remove(stream: OpenStream): void
  count(): number
  /** Ends every stream whose caller may no longer have it. */
  recheck(isAllowed: (exchange: Exchange) => Promise<boolean>): Promise<void>
  endAll(): void
  close(): void
}

const beatMilliseconds = 15_000

export function openStreams(): Streams {
  const open = new Set<OpenStream>()
  const timer = setInterval(() => {
    for (const stream of open) stream.beat()
  }, beatMilliseconds)
  timer.unref()
  const endAll = () => {
    for (const stream of [...open]) stream.end()
  }
  return {
    add: stream => void open.add(stream),
    remove: stream => void open.delete(stream),
    count: () => open.size,
    async recheck(isAllowed) {
      for (const stream of [...open]) if (!(await isAllowed(stream.exchange))) stream.end()
    },
    endAll,
    close() {
      clearInterval(timer)
      endAll()
    },
  }
}
