import { GatewayError } from '../foundation/errors.ts'
import { answerError } from './answer-error.ts'
import type { Exchange } from './exchange.ts'
import { emptyList } from './lists.ts'
import type { ListKey } from './methods.ts'

/** Answers what went well, once that is in the audit; where it cannot be, says so instead. */
export function answerOk(exchange: Exchange, answer: () => void): void {
  exchange.record('ok', null, failure => {
    if (failure === undefined) answer()
    else answerError(exchange, new GatewayError('audit.unavailable'))
  })
}

/** Answers a message that has no answer. */
export function accepted(exchange: Exchange): void {
  answerOk(exchange, () => exchange.outlet.taken())
}

/** Answers with a list that has nothing in it for this caller. */
export function answerNothing(exchange: Exchange, key: ListKey): void {
  const body = emptyList(exchange, key)
  exchange.bytesOut = body.length
  exchange.record('denied', null, failure => {
    if (failure === undefined) exchange.outlet.answer(body, 200)
    else answerError(exchange, new GatewayError('audit.unavailable'))
  })
}
