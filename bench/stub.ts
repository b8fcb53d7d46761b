/**
 * A fast MCP server to stand behind what is measured: both eras or one alone, answers computed beforehand, raw sockets. It runs
 * as a process of its own; `node bench/stub.ts [both|session|stateless]` starts it by hand and prints its URL.
 */
import { randomUUID } from 'node:crypto'
import { createServer, type Socket } from 'node:net'
import {
  type CallShape,
  isShape,
  protocolVersion,
  resultFor,
  sessionProtocolVersion,
  shapes,
} from './calls.ts'
import { announcePort } from './child.ts'
import { type HttpMessage, headerOf, parseMessage } from './http-message.ts'

type Request = { id?: string | number; method?: string; params?: { name?: unknown } }

const speaks = process.argv[2] ?? 'both'
const isSessionOnly = speaks === 'session'
const isStatelessOnly = speaks === 'stateless'

const serverInfo = { name: 'bench-stub', version: '1.0.0' }
const cacheable = { resultType: 'complete', ttlMs: 300_000, cacheScope: 'private' }
const tools = shapes.map(name => ({
  name,
  description: `Answers with the ${name} result.`,
  inputSchema: { type: 'object', properties: { query: { type: 'string' } } },
  annotations: { readOnlyHint: true },
}))

const stateless: Record<string, string> = {
  'server/discover': JSON.stringify({
    ...cacheable,
    supportedVersions: [protocolVersion],
    capabilities: { tools: { listChanged: true } },
    serverInfo,
    _meta: { 'io.modelcontextprotocol/serverInfo': serverInfo },
  }),
  'tools/list': JSON.stringify({ ...cacheable, tools }),
}
const session: Record<string, string> = {
  'tools/list': JSON.stringify({ tools }),
  ping: '{}',
  initialize: JSON.stringify({
    protocolVersion: sessionProtocolVersion,
    capabilities: { tools: {} },
    serverInfo,
  }),
}
const fixed = {
  ...(isStatelessOnly ? {} : session),
  ...(isSessionOnly ? {} : stateless),
}

const ending = (result: unknown) => `,"result":${JSON.stringify(result)}}`
const era = isSessionOnly ? 'session' : 'stateless'
const endings: Record<CallShape, string> = {
  small: ending(resultFor(era, 'small')),
  large: ending(resultFor(era, 'large')),
  sse: ending(resultFor(era, 'sse')),
}
const largeEnding = Buffer.from(endings.large)

const opening = (id: Request['id']) => `{"jsonrpc":"2.0","id":${JSON.stringify(id)}`

function answerJson(socket: Socket, message: string, extra: { status?: string; header?: string } = {}): void {
  socket.write(
    `HTTP/1.1 ${extra.status ?? '200 OK'}\r\nContent-Type: application/json\r\n${extra.header ?? ''}` +
      `Content-Length: ${Buffer.byteLength(message)}\r\n\r\n${message}`,
  )
}

function answerEmpty(socket: Socket, status: string): void {
  socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`)
}

const eventHead =
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\nX-Accel-Buffering: no\r\n' +
  'Transfer-Encoding: chunked\r\n\r\n'

function eventChunk(message: string): string {
  const event = `event: message\ndata: ${message}\n\n`
  return `${Buffer.byteLength(event).toString(16)}\r\n${event}\r\n`
}

function answerCall(socket: Socket, id: Request['id'], shape: CallShape): void {
  if (shape === 'sse') {
    socket.write(`${eventHead}${eventChunk(opening(id) + endings.sse)}0\r\n\r\n`)
  } else if (shape === 'large') {
    const start = opening(id)
    const length = Buffer.byteLength(start) + largeEnding.length
    socket.cork()
    socket.write(
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${start}`,
    )
    socket.write(largeEnding)
    socket.uncork()
  } else {
    answerJson(socket, opening(id) + endings[shape])
  }
}

/** The stream stays open until the client leaves. */
function answerListen(socket: Socket, id: Request['id']): void {
  const params = { notifications: {}, _meta: { 'io.modelcontextprotocol/subscriptionId': id } }
  const acknowledged = { jsonrpc: '2.0', method: 'notifications/subscriptions/acknowledged', params }
  socket.write(eventHead + eventChunk(JSON.stringify(acknowledged)))
}

function answerOther(socket: Socket, request: Request): void {
  const { id, method = '' } = request
  const result = fixed[method]
  if (id === undefined) answerEmpty(socket, '202 Accepted')
  else if (method === 'subscriptions/listen') answerListen(socket, id)
  else if (result === undefined) {
    const error = ',"error":{"code":-32601,"message":"Method not found"}}'
    answerJson(socket, opening(id) + error, { status: '404 Not Found' })
  } else {
    const header = method === 'initialize' ? `Mcp-Session-Id: ${randomUUID()}\r\n` : ''
    answerJson(socket, `${opening(id)},"result":${result}}`, { header })
  }
}

function answer(socket: Socket, message: HttpMessage): void {
  const { startLine, head, body } = message
  if (startLine.startsWith('GET ') && isSessionOnly) return void socket.write(eventHead)
  if (!startLine.startsWith('POST ')) {
    answerEmpty(socket, startLine.startsWith('DELETE ') ? '200 OK' : '405 Method Not Allowed')
    return
  }
  const request: Request = JSON.parse(body.toString())
  if (isSessionOnly && request.method !== 'initialize' && headerOf(head, 'mcp-session-id') === undefined) {
    const error = ',"error":{"code":-32000,"message":"Bad Request: no session"}}'
    return answerJson(socket, opening(request.id) + error, { status: '400 Bad Request' })
  }
  const name = request.params?.name
  if (request.method === 'tools/call' && isShape(name)) answerCall(socket, request.id, name)
  else answerOther(socket, request)
}

function serve(socket: Socket): void {
  let pending: Buffer | undefined
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => {
    let rest: Buffer | undefined = pending ? Buffer.concat([pending, chunk]) : chunk
    while (rest !== undefined && rest.length > 0) {
      const message: HttpMessage | undefined = parseMessage(rest)
      if (message === undefined) break
      answer(socket, message)
      rest = rest.subarray(message.bytes)
    }
    pending = rest
  })
}

announcePort(createServer(serve), '/mcp')
