/** What is measured, calls and a list: what is asked, and what every target must answer. */

export const shapes = ['small', 'large', 'sse'] as const
export type CallShape = (typeof shapes)[number]
/** What is asked for: a call, or the list of all tools. */
export type Shape = CallShape | 'list'

export const isShape = (value: unknown): value is CallShape => shapes.some(shape => shape === value)

export type Era = 'stateless' | 'session'

/** Where a target listens, and what it wants to see. Targets of the stateless era all get the same header names and lengths. */
export type Address = {
  port: number
  path: string
  authorization: string
  /** The session its calls belong to; without one they are of the stateless era. */
  session?: string
  /** What the tool of a call has as its name here, where that is not its shape. */
  tool?: string
  /** The length of the answer to `list`. */
  listBytes?: number
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
export function resultFor(era: Era, shape: CallShape): object {
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

export function messageOf(shape: Shape, id: number, address: Pick<Address, 'session' | 'tool'> = {}): string {
  const call = { name: address.tool ?? shape, arguments: { query: 'open invoices' } }
  const meta = address.session === undefined ? { _meta: envelope } : {}
  const params = { ...(shape === 'list' ? {} : call), ...meta }
  return JSON.stringify({ jsonrpc: '2.0', id, method: methodOf(shape), params })
}

const methodOf = (shape: Shape) => (shape === 'list' ? 'tools/list' : 'tools/call')

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
export function callHeaders({ authorization, session, tool }: Address, shape: Shape): Record<string, string> {
  const name = shape === 'list' ? undefined : (tool ?? shape)
  const own = session === undefined ? headersOf(methodOf(shape), name) : sessionHeaders(session)
  return { Authorization: authorization, ...own, ...(shape === 'list' && { 'X-Gatehouse-Tools': 'list' }) }
}

/** A whole HTTP request with a gap for the id: patch ten digits at `idAt` and send. */
export function requestOf(shape: Shape, address: Address): { bytes: Buffer; idAt: number } {
  const message = messageOf(shape, firstId, address)
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
export function answerLength(shape: Shape, address: Address): number {
  if (shape === 'list') return address.listBytes ?? 0
  const result = resultFor(eraOf(address), shape)
  return Buffer.byteLength(JSON.stringify({ jsonrpc: '2.0', id: firstId, result }))
}
