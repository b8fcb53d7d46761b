/** Routes as the rooms declare them, made into answers. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Context, Hono } from 'hono'
import type { z } from 'zod'
import { asGatewayError, fail } from '../foundation/errors.ts'
import type { Log } from '../foundation/log.ts'
import type { Route } from '../foundation/route.ts'
import { type Doorkeeping, enter, type Over } from './authenticate.ts'
import { asProblem, logError } from './problem.ts'
import { readBody } from './read-body.ts'

export type Bindings = {
  readonly incoming: IncomingMessage
  readonly outgoing: ServerResponse
  readonly over: Over
  readonly requestId: string
}

export type App = Hono<{ Bindings: Bindings }>
export type Ask = Context<{ Bindings: Bindings }>

export type Mounting = Doorkeeping & {
  readonly log: Log
  readonly config: { readonly limits: { readonly requestBytes: number } }
}

/** An app with every route, its 405 and the 404 for everything else. */
export function mount(routes: readonly Route[], parts: Mounting): App {
  const app: App = new Hono()
  const methods = new Map<string, string[]>()
  for (const route of routes) {
    const path = route.path.replaceAll(/\{(\w+)\}/g, ':$1')
    methods.set(path, [...(methods.get(path) ?? []), route.method])
    app.on(route.method, path, ask => walk(route, ask, parts))
  }
  // After every route, so that a pattern of one never hides the method of another.
  for (const [path, allow] of methods)
    app.all(path, () => fail('http.method_not_allowed', { data: { allow } }))
  app.notFound(() => fail('http.not_found'))
  app.onError((thrown, ask) => answerError(thrown, ask, parts.log))
  return app
}

async function walk(route: Route, ask: Ask, parts: Mounting): Promise<Response> {
  const { incoming: request, over, requestId } = ask.env
  const caller = await enter(route, { request, over, requestId }, parts)
  const params = read(route.params, ask.req.param(), 'path')
  const query = read(route.query, ask.req.query(), 'query')
  const body =
    route.body && read(route.body, await readBody(request, parts.config.limits.requestBytes), 'body')
  const answer = await route.act({ caller, params, query, body, requestId })
  if (answer === undefined) return new Response(null, { status: route.status ?? 204 })
  return Response.json(answer, { status: route.status ?? 200 })
}

function read(schema: z.ZodType | undefined, value: unknown, place: string): unknown {
  if (schema === undefined) return undefined
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map(issue => ({
    path: [place, ...issue.path.map(String)].join('.'),
    problem: issue.message,
  }))
  const why = problems.map(({ path, problem }) => `${path}: ${problem}`).join('; ')
  return fail('http.bad_request', { why, data: { problems } })
}

function answerError(thrown: unknown, ask: Ask, log: Log): Response {
  const error = asGatewayError(thrown)
  logError(log, error, ask.env.requestId)
  const { body, status, headers } = asProblem(error, ask.env.requestId)
  return new Response(body, { status, headers })
}
