/** An upstream that cut a stream and goes on with it where it is asked to (MCP 2025-11-25, basic/transports, SEP-1699). */
import type { SessionLink } from '../upstreams/index.ts'
import { tagged } from './readdress.ts'
import type { Reply, UpstreamEvent } from './reply.ts'

const usualRetry = 1000
const longestRetry = 30_000

/** Asks for the rest of the stream that answers a request, after as long a wait as the upstream wants. */
export function takeUp(link: SessionLink, reply: Reply, after: UpstreamEvent): void {
  const given = /^\d{1,6}$/.test(after.retry ?? '') ? Number(after.retry) : usualRetry
  setTimeout(
    () => {
      if (reply.isOver) return
      const flight = link.listen(
        {
          message: (bytes, message, eventId) => reply.message(bytes, message, eventId),
          priming: (eventId, retry) => reply.priming(eventId, retry),
          answer(bytes, answer) {
            if (answer.id === reply.upstreamId)
              reply.answer(tagged(bytes, ['id'], reply.clientId), answer, 200)
          },
          ended: () => reply.interrupted(),
        },
        after.id,
      )
      reply.started(flight)
    },
    Math.min(given, longestRetry),
  ).unref()
}
