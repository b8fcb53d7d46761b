import { GatewayError } from '../../foundation/errors.ts'
import type { Equipped, RefusedCredentials, Sign } from '../equipped.ts'
import type { Flight } from '../sink.ts'
import { type AnswerFor, HttpAnswer } from './http-answer.ts'
import type { Wire, WireHeaders } from './wire.ts'

const bothFramings = [
  'content-type',
  'application/json',
  'accept',
  'application/json, text/event-stream',
] as const

/** Where the headers of a request come from. */
export type HeaderSource = {
  readonly to: Pick<Equipped, 'headers'> & Partial<Pick<Equipped, 'renew' | 'sign'>>
  /** Further ones, as flat pairs. */
  readonly own: readonly string[]
}

/** Sends a request and reads its answer into the sink; once more where the server wants other credentials and there are some. */
export function postRequest(
  wire: Wire,
  { to, own }: HeaderSource,
  body: Buffer,
  answerFor: AnswerFor,
): Flight {
  let sent: readonly string[] = []
  const send = () => {
    sent = to.headers
    const headers = [...bothFramings, ...sent, ...own]
    return wire.send({ method: 'POST', headers, body, sign: to.sign, total: answer.total }, answer)
  }
  const { renew } = to
  const anew = renew && { renew: (refused: RefusedCredentials) => renew({ ...refused, sent }), send }
  const answer: HttpAnswer = new HttpAnswer(answerFor, anew)
  const flight = send()
  answer.started(flight)
  return flight
}

/** Sends a request without a JSON-RPC answer (a notification, a response, a DELETE) and gives the HTTP status. */
export function sendOnly(
  wire: Wire,
  request: {
    method: 'POST' | 'DELETE'
    headers: readonly string[]
    body: Buffer | null
    sign?: Sign | undefined
    path?: string
    /** Milliseconds, where it is not worth the usual wait. */
    total?: number
  },
): Promise<number> {
  return new Promise((done, refused) => {
    const headers = request.body === null ? request.headers : [...bothFramings, ...request.headers]
    let status = 0
    wire.send(
      { total: 10_000, ...request, headers },
      {
        head: given => {
          status = given
        },
        chunk: () => {},
        end: () => done(status),
        broken: error => refused(error),
      },
    )
  })
}

/** The session id an upstream gave, if it is one the protocol allows (visible ASCII). */
export function sessionIdOf(headers: WireHeaders): string | undefined {
  const id = headers['mcp-session-id']
  if (id === undefined) return undefined
  if (typeof id !== 'string' || !/^[\x21-\x7e]{1,512}$/.test(id)) {
    throw new GatewayError('upstream.bad_answer', { why: 'Its Mcp-Session-Id is not visible ASCII.' })
  }
  return id
}
