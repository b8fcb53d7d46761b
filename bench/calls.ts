/** The three calls that are measured: what is asked, and what every target must answer. */

export const shapes = ['small', 'large', 'sse'] as const
export type Shape = (typeof shapes)[number]

export const isShape = (value: unknown): value is Shape => shapes.some(shape => shape === value)

export type Era = 'stateless' | 'session'

/** Where a target listens, and what it wants to see. Targets of the stateless era all get the same header names and lengths. */
export type Address = {
  port: number
  path: string
  authorization: string
  /** The session its calls belong to; without one they are of the stateless era. */
  session?: string
}

export const eraOf = ({ session }: Address): Era => (session === undefined ? 'stateless' : 'session')

export const protocolVersion = '2026-07-28'
export const sessionProtocolVersion = '2025-11-25'

const sentence = 'The quick brown fox jumps over the lazy dog, and \\"nobody\\" minds.\n'
const textOf = (length: number) => sentence.repeat(Math.ceil(length / sentence.length)).slice(0, length)

/** The result of each tool: about 300 bytes of answer, 50 KB, and 300 bytes in an event stream. */
export const results = {
  small: { resultType: 'complete', content: [{ type: 'text', text: textOf(200) }], isError: false },
  large: { resultType: 'complete', content: [{ type: 'text', text: textOf(50_000) }], isError: false },
  sse: { resultType: 'complete', content: [{ type: 'text', text: textOf(200) }], isError: false },
} as const

/** The result as the client of an era sees it: the session era knows no `resultType`. */
export function resultFor(era: Era, shape: Shape): object {
  const { resultType, ...rest } = results[shape]
  return era === 'stateless' ? { resultType, ...rest } : rest
}

/** Ids are ten digits, so that every call of a shape has the same length. */
export const firstId = 1_000_000_000

/** What every request of the stateless era says about its client. */
export const envelope = {
  'io.modelcontextprotocol/protocolVersion': protocolVersion,
  'io.modelcontextprotocol/clientCapabilities': {},
}

export function messageOf(shape: Shape, id: number, era: Era = 'stateless'): string {
  const params = { name: shape, arguments: { query: 'open invoices' } }
  const meta = era === 'stateless' ? { _meta: envelope } : {}
  return JSON.stringify({ jsonrpc: '2.0', id, method: 'tools/call', params: { ...params, ...meta } })
}

export function headersOf(method: string, name?: string): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    'MCP-Protocol-Version': protocolVersion,
    'Mcp-Method': method,
    ...(name !== undefined && { 'Mcp-Name': name }),
  }
}

export function sessionHeaders(session: string): Record<string, string> {
  return {
    'Content-Type': 'application/json',
    Accept: 'application/json, text/event-stream',
    'MCP-Protocol-Version': sessionProtocolVersion,
    'Mcp-Session-Id': session,
  }
}

/** The headers of a call, besides those of HTTP. */
export function callHeaders({ authorization, session }: Address, shape: Shape): Record<string, string> {
  const own = session === undefined ? headersOf('tools/call', shape) : sessionHeaders(session)
  return { Authorization: authorization, ...own }
}

/** A whole HTTP request with a gap for the id: patch ten digits at `idAt` and send. */
export function requestOf(shape: Shape, address: Address): { bytes: Buffer; idAt: number } {
  const message = messageOf(shape, firstId, eraOf(address))
  const headers = {
    Host: `127.0.0.1:${address.port}`,
    ...callHeaders(address, shape),
    'Content-Length': String(Buffer.byteLength(message)),
  }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  const bytes = Buffer.from([`POST ${address.path} HTTP/1.1`, ...lines, '', message].join('\r\n'))
  return { bytes, idAt: bytes.indexOf(String(firstId)) }
}

/** The length of the JSON-RPC answer, without any framing. */
export const answerLength = (shape: Shape, era: Era): number =>
  Buffer.byteLength(JSON.stringify({ jsonrpc: '2.0', id: firstId, result: resultFor(era, shape) }))
