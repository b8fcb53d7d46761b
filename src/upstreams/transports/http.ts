import { GatewayError } from '../../foundation/errors.ts'
import type { Equipped, Refusal, RefusedCredentials } from '../equipped.ts'
import type { Flight } from '../sink.ts'
import { type AnswerFor, challengeOf, HttpAnswer } from './http-answer.ts'
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
  let used: Pick<Refusal, 'sent' | 'sign'> = { sent: [] }
  const send = () => {
    const { headers: sent, sign } = to
    used = { sent, sign }
    const headers = [...bothFramings, ...sent, ...own]
    return wire.send({ method: 'POST', headers, body, sign, total: answer.total }, answer)
  }
  const { renew } = to
  const anew = renew && { renew: (refused: RefusedCredentials) => renew({ ...refused, ...used }), send }
  const answer: HttpAnswer = new HttpAnswer(answerFor, anew)
  const flight = send()
  answer.started(flight)
  return flight
}

/** What has no JSON-RPC answer: a notification, a response, a DELETE. */
export type Plain = {
  readonly method: 'POST' | 'DELETE'
  /** Headers besides the credentials, as flat pairs. */
  readonly own?: readonly string[]
  readonly body: Buffer | null
  readonly path?: string
  /** Milliseconds, where it is not worth the usual wait. */
  readonly total?: number
}

/** Sends it and gives the HTTP status; once more where the server wants other credentials and there are some. */
export async function sendOnly(wire: Wire, to: HeaderSource['to'], plain: Plain): Promise<number> {
  const { headers: sent, sign } = to
  const { status, challenge } = await sendOnce(wire, to, plain)
  if (status !== 401 || to.renew === undefined || plain.method === 'DELETE') return status
  await to.renew({ status, challenge, sent, sign })
  return (await sendOnce(wire, to, plain)).status
}

function sendOnce(
  wire: Wire,
  { headers: credentials, sign }: HeaderSource['to'],
  { own = [], ...plain }: Plain,
): Promise<RefusedCredentials> {
  const framing = plain.body === null ? [] : bothFramings
  return new Promise((done, refused) => {
    let answer = { status: 0, challenge: '' }
    wire.send(
      { total: 10_000, ...plain, headers: [...framing, ...credentials, ...own], sign },
      {
        head: (status, headers) => {
          answer = { status, challenge: challengeOf(headers) }
        },
        chunk: () => {},
        end: () => done(answer),
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
