/** Which plane a request belongs to. Each does its own checks; this only reads the path, whatever form the target has. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asGatewayError } from './foundation/errors.ts'
import { checkFraming } from './foundation/guards.ts'
import { newId } from './foundation/id.ts'
import { answerProblem, type Over } from './http/index.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse, over: Over) => void

/** A plane, and the paths at which and below which it answers. */
export type Plane = { readonly at: readonly string[]; readonly handle: Handler }

export type Planes = {
  readonly mcp: Handler
  readonly http: Handler
  readonly others: readonly Plane[]
  /** Told the status of every answer of the HTTP plane that went out whole; MCP counts its exchanges itself. */
  answered(status: number): void
}

/** One handler over all planes: each has its paths, and everything else is the HTTP plane's. */
export function dispatch(planes: Planes): Handler {
  return (request, response, over) => {
    const target = request.url ?? '/'
    if (!target.startsWith('/')) {
      try {
        request.url = pathOf(request, target)
      } catch (thrown) {
        answerProblem(response, asGatewayError(thrown), newId())
        return
      }
    }
    const path = request.url ?? '/'
    if (isBelow('/mcp', path)) return planes.mcp(request, response, over)
    response.on('finish', () => planes.answered(response.statusCode))
    const other = planes.others.find(({ at }) => at.some(root => isBelow(root, path)))
    const handle = other?.handle ?? planes.http
    handle(request, response, over)
  }
}

/** Is it the root, or a path below it? */
function isBelow(root: string, path: string): boolean {
  if (!path.startsWith(root)) return false
  const next = path[root.length]
  return next === undefined || next === '/' || next === '?'
}

/** Path and query of an absolute-form target (RFC 9112, 3.2.2), once its authority is known to be the Host. */
function pathOf(request: IncomingMessage, target: string): string {
  checkFraming(request.rawHeaders, target, request.headers.host)
  const url = URL.parse(target)
  return url === null ? target : url.pathname + url.search
}
