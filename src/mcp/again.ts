/** Sends a request again whose way upstream broke, where that is safe. What may be repeated is said in one place: upstreams/repeat.ts. */
import type { GatewayError } from '../foundation/errors.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import { anew, nextTry, RefusedRequest } from '../upstreams/index.ts'
import type { Correct, Refusal } from './correct.ts'
import { send } from './forward.ts'
import type { Reply } from './reply.ts'

/** True: it will be sent again, and the reply goes on. */
export type Again = (reply: Reply, error: GatewayError) => boolean

export type AgainParts = {
  readonly metrics: Metrics
  readonly callSeconds: number
  readonly correct: Correct
}

export function openAgain({ metrics, callSeconds, correct }: AgainParts): Again {
  return (reply, error) => {
    if (error instanceof RefusedRequest) return correct(reply, refusalOf(error))
    const { outgoing, way, policy, exchange } = reply
    if (outgoing === undefined || way === undefined || policy === undefined) return false
    const left = callSeconds * 1000 - exchange.elapsed
    const pause = nextTry(reply, error, { outgoing, policy, left })
    if (pause === undefined) return false
    metrics.repeated(outgoing.method)
    const latest = performance.now() + left
    const timer = setTimeout(() => send(way, anew(outgoing, latest), reply), pause)
    reply.started({ pause: () => {}, resume: () => {}, abort: () => clearTimeout(timer) })
    return true
  }
}

function refusalOf(failure: RefusedRequest): Refusal {
  return { bytes: Buffer.alloc(0), answer: { error: failure.error }, status: failure.httpStatus, failure }
}
