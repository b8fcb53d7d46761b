/** Which plane a request belongs to. Each does its own checks; this only reads the path, whatever form the target has. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { asGatewayError } from './foundation/errors.ts'
import { checkFraming } from './foundation/guards.ts'
import { newId } from './foundation/id.ts'
import { answerProblem, type Over } from './http/index.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse, over: Over) => void

export type Planes = {
  readonly mcp: Handler
  readonly http: Handler
  readonly oauth: Handler
  /** Told the status of every answer of the HTTP plane that went out whole; MCP counts its exchanges itself. */
  answered(status: number): void
}

/** One handler over all planes: `/mcp` and below is MCP, `/oauth` and `/.well-known` OAuth, everything else the HTTP plane. */
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
    if (isMcp(path)) return planes.mcp(request, response, over)
    response.on('finish', () => planes.answered(response.statusCode))
    const plane = oauthPaths.test(path) ? planes.oauth : planes.http
    plane(request, response, over)
  }
}

/** The last three are where clients of MCP 2025-03-26 look that found no metadata. */
const oauthPaths =
  /^\/(?:oauth\/|\.well-known\/(?:oauth-|openid-configuration)|(?:authorize|token|register)(?:\?|$))/

function isMcp(path: string): boolean {
  if (!path.startsWith('/mcp')) return false
  const next = path[4]
  return next === undefined || next === '/' || next === '?'
}

/** Path and query of an absolute-form target (RFC 9112, 3.2.2), once its authority is known to be the Host. */
function pathOf(request: IncomingMessage, target: string): string {
  checkFraming(request.rawHeaders, target, request.headers.host)
  const url = URL.parse(target)
  return url === null ? target : url.pathname + url.search
}
