import { describe, expect, it } from 'vitest'
import { firstId, requestOf } from './calls.ts'
import { parseMessage } from './http-message.ts'
import { checkAnswer } from './lane.ts'

const id = firstId + 7
const answer = (body: string, status = '200 OK') => {
  const message = parseMessage(
    Buffer.from(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
  )
  if (!message) throw new Error('not a whole message')
  return message
}
const right = `{"jsonrpc":"2.0","id":${id},"result":{}}`

describe('checkAnswer', () => {
  it('accepts the right answer, plain or in an event', () => {
    expect(checkAnswer(answer(right), id, right.length)).toBeUndefined()
    expect(checkAnswer(answer(`event: message\ndata: ${right}\n\n`), id, right.length)).toBeUndefined()
  })
  it('names a wrong status, a wrong length and an id that is not echoed', () => {
    expect(checkAnswer(answer(right, '401 Unauthorized'), id, right.length)).toContain('401 Unauthorized')
    expect(checkAnswer(answer(right), id, right.length + 1)).toContain(`not ${right.length + 1}`)
    expect(checkAnswer(answer(right.padEnd(2000)), id, right.length)).toContain('2000 bytes')
    expect(checkAnswer(answer(right), id + 1, right.length)).toContain('not echoed')
  })
})

describe('requestOf', () => {
  it('is a whole request of about 250 bytes of JSON, whose id can be patched in place', () => {
    const { bytes, idAt } = requestOf('small', { port: 4000, path: '/mcp', authorization: 'Bearer x' })
    bytes.write(String(id), idAt, 'latin1')
    const message = parseMessage(bytes)
    expect(message?.bytes).toBe(bytes.length)
    expect(message?.head).toContain('Mcp-Name: small')
    expect(JSON.parse(message?.body.toString() ?? '')).toMatchObject({ id, params: { name: 'small' } })
    expect(Math.abs((message?.body.length ?? 0) - 250)).toBeLessThan(30)
  })
})
