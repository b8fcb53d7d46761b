/** How the tools behind an address of several servers are shown: all of them, or three that find, describe and call them. */
import type { IncomingMessage } from 'node:http'
import type { Config } from '../config/schema.ts'
import { fail } from '../foundation/errors.ts'
import { everythingId } from '../servers/index.ts'
import type { ClearParts } from './clear.ts'
import type { Composed } from './composed-answers.ts'
import { offered } from './offered.ts'

export type ToolListParts = ClearParts & { readonly toolList: Config['mcp'] }

type Mode = Config['mcp']['tools']

const modes: readonly string[] = ['auto', 'list', 'search'] satisfies readonly Mode[]
const header = 'x-gatehouse-tools'

/** Do three tools stand for those of this caller? As they choose, or as the configuration says of what is long. */
export function isSearched(parts: ToolListParts, visit: Composed): boolean {
  const { toolList } = parts
  const { exchange, upstream } = visit
  const usual = upstream.id === everythingId ? toolList.tools : 'list'
  const mode = chosen(exchange.request) ?? usual
  return mode === 'search' || (mode === 'auto' && offered(parts, visit).tokens > toolList.toolsTokens)
}

function chosen({ headers, url = '' }: IncomingMessage): Mode | undefined {
  const query = url.indexOf('?')
  const asked = headers[header] ?? (query < 0 ? null : new URLSearchParams(url.slice(query)).get('tools'))
  if (asked === null) return undefined
  if (!isMode(asked))
    fail('http.bad_request', { why: `${header} and ?tools= are one of ${modes.join(', ')}.` })
  return asked
}

function isMode(value: unknown): value is Mode {
  return typeof value === 'string' && modes.includes(value)
}
