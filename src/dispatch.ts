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
  /** Pages of people who sign in with a browser. */
  readonly signIn: Handler
  /** Told the status of every answer of the other planes that went out whole; MCP counts its exchanges itself. */
  answered(status: number): void
}

/** One handler over the planes: `/mcp` and below is MCP, the pages of signing in are theirs, everything else the HTTP plane. */
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
    if (isMcp(request.url ?? '/')) planes.mcp(request, response, over)
    else {
      response.on('finish', () => planes.answered(response.statusCode))
      const plane = isSignIn(request.url ?? '/') ? planes.signIn : planes.http
      plane(request, response, over)
    }
  }
}

function isMcp(path: string): boolean {
  if (!path.startsWith('/mcp')) return false
  const next = path[4]
  return next === undefined || next === '/' || next === '?'
}

const signInPaths = /^\/(?:sign-in|sign-out|signed-out|claim|link|account)(?:[/?]|$)/

function isSignIn(path: string): boolean {
  return signInPaths.test(path)
}

/** Path and query of an absolute-form target (RFC 9112, 3.2.2), once its authority is known to be the Host. */
function pathOf(request: IncomingMessage, target: string): string {
  checkFraming(request.rawHeaders, target, request.headers.host)
  const url = URL.parse(target)
  return url === null ? target : url.pathname + url.search
}
