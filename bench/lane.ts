/** One keep-alive connection of the load generator: one call at a time, each answer checked. */
import { connect } from 'node:net'
import { type Address, answerLength, requestOf, type Shape } from './calls.ts'
import { type HttpMessage, parseMessage } from './http-message.ts'

export type Lane = { send(id: number): void; close(): void }

export type LaneEvents = {
  ready(): void
  /** `wrong` says what is wrong with the answer; undefined when it is right. */
  answered(wrong: string | undefined): void
  /** The connection is gone, and with it the call that was waiting on it. Not called after `close`. */
  lost(reason: string): void
}

// Event stream framing (event:, id:, data:, comments) may come on top of the message.
const framingBytes = 256

export function checkAnswer(message: HttpMessage, id: number, length: number): string | undefined {
  const { startLine, body } = message
  if (!startLine.startsWith('HTTP/1.1 200')) return `${startLine}: ${body.toString('utf8', 0, 300)}`
  if (body.length < length || body.length > length + framingBytes)
    return `${body.length} bytes, not ${length}: ${body.toString('utf8', 0, 300)}`
  if (!body.includes(`"id":${id}`, 0, 'latin1'))
    return `id ${id} is not echoed: ${body.toString('utf8', 0, 200)}`
  return undefined
}

export function openLane(address: Address, shape: Shape, events: LaneEvents): Lane {
  const { bytes, idAt } = requestOf(shape, address)
  const length = answerLength(shape, address)
  const socket = connect({ host: '127.0.0.1', port: address.port, noDelay: true })
  let pending: Buffer | undefined
  let waitingFor: number | undefined
  let isClosed = false

  const lane: Lane = {
    send(id) {
      waitingFor = id
      bytes.write(String(id), idAt, 'latin1')
      socket.write(bytes)
    },
    close() {
      isClosed = true
      socket.destroy()
    },
  }

  const lose = (reason: string) => {
    if (isClosed) return
    lane.close()
    events.lost(reason)
  }

  socket.on('connect', () => events.ready())
  socket.on('error', error => lose(error.message))
  socket.on('close', () => lose('the connection was closed'))
  socket.on('data', chunk => {
    pending = pending ? Buffer.concat([pending, chunk]) : chunk
    try {
      const message = parseMessage(pending)
      if (message === undefined) return
      if (waitingFor === undefined || message.bytes !== pending.length)
        throw new Error('more than one answer')
      const wrong = checkAnswer(message, waitingFor, length)
      pending = undefined
      waitingFor = undefined
      events.answered(wrong)
    } catch (error) {
      lose(String(error))
    }
  })
  return lane
}
