/** The way upstream of one session: the same for as long as it lives, or, where a process must run for it, found anew each time. */
import { asGatewayError } from '../../foundation/errors.ts'
import type { Connections } from '../connections.ts'
import type { Equipped } from '../equipped.ts'
import type { Outgoing, StatelessLink } from '../link.ts'
import type { Flight } from '../sink.ts'

/** Over HTTP the link is kept: one for a server that was changed meanwhile must not be opened again. */
export function wayUp(connections: Connections, to: Equipped): StatelessLink {
  if (to.upstream.transport.kind !== 'stdio') {
    const link = connections.stateless(to)
    if (!(link instanceof Promise)) return link
  }
  return { request: outgoing => new LateFlight(async () => connections.stateless(to), outgoing) }
}

/** A request whose process may have to be started first. */
class LateFlight implements Flight {
  #flight: Flight | undefined
  #isAborted = false

  constructor(find: () => Promise<StatelessLink>, outgoing: Outgoing) {
    outgoing.sink.started(this)
    void this.#send(find, outgoing)
  }

  async #send(find: () => Promise<StatelessLink>, outgoing: Outgoing): Promise<void> {
    try {
      const link = await find()
      if (!this.#isAborted) this.#flight = link.request(outgoing)
    } catch (thrown) {
      if (!this.#isAborted) outgoing.sink.failed(asGatewayError(thrown))
    }
  }

  pause(): void {
    this.#flight?.pause()
  }

  resume(): void {
    this.#flight?.resume()
  }

  abort(): void {
    this.#isAborted = true
    this.#flight?.abort()
  }
}
