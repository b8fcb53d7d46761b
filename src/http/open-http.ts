/** The HTTP plane: the management API as the rooms declare it, health, metrics and the first pages. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { AuditRecord } from '../audit/index.ts'
import type { Config } from '../config/schema.ts'
import { type Clock, systemClock } from '../foundation/clock.ts'
import { asGatewayError, fail } from '../foundation/errors.ts'
import { type FailureLimit, openFailureLimit } from '../foundation/failure-limit.ts'
import { checkFraming, checkQuery, compileGuards, type Guards, isLoopback } from '../foundation/guards.ts'
import { newId } from '../foundation/id.ts'
import type { Log } from '../foundation/log.ts'
import type { Page } from '../foundation/page.ts'
import type { Route } from '../foundation/route.ts'
import { authenticate, type Doorkeeping, mayEnter, type Over } from './authenticate.ts'
import { allowPage } from './cors.ts'
import { doctorRoute, type Health, readiness } from './health.ts'
import { type App, type Ask, mount } from './mount.ts'
import { openApi } from './openapi.ts'
import { landingPage } from './pages.ts'
import { answerProblem, logError } from './problem.ts'

export type HttpParts = Pick<Doorkeeping, 'identify' | 'sessionOf' | 'operator' | 'addresses'> & {
  /** What the rooms declare. */
  readonly routes: readonly Route[]
  readonly audit: AuditRecord
  readonly config: Config
  readonly log: Log
  /** Version of the product, for the OpenAPI document. */
  readonly version: string
  /** The metrics as Prometheus text. */
  metrics(): string | Promise<string>
  readonly health: Health
  /** Shared with the MCP plane, so that guessing at one door counts at the other. */
  readonly failures?: FailureLimit
  readonly clock?: Clock
}

export type Http = {
  /** Answers one request that came over TCP or the local socket. */
  handle(request: IncomingMessage, response: ServerResponse, over: Over): void
}

export function openHttp(parts: HttpParts): Http {
  const clock = parts.clock ?? systemClock
  const whole = { ...parts, clock, failures: parts.failures ?? openFailureLimit(clock) }
  const guards = compileGuards(parts.config)
  const routes = [...parts.routes, doctorRoute(parts.health)]
  const app = mount(routes, whole)
  addPlainPaths(app, routes, whole)
  const listeners = { tcp: listenerFor(app, 'tcp'), local: listenerFor(app, 'local') }
  return {
    handle(request, response, over) {
      const requestId = newId()
      setSafeHeaders(response, requestId)
      try {
        if (over === 'tcp') {
          checkRequest(request, guards)
          if (allowPage(request, response)) return
        }
      } catch (thrown) {
        const error = asGatewayError(thrown)
        logError(parts.log, error, requestId)
        answerProblem(response, error, requestId)
        return
      }
      void listeners[over](request, response)
    },
  }
}

function listenerFor(app: App, over: Over) {
  return getRequestListener(
    (request, { incoming, outgoing }) => {
      const requestId = String(outgoing.getHeader('x-request-id'))
      return app.fetch(request, { incoming, outgoing, over, requestId })
    },
    { hostname: 'localhost', overrideGlobalObjects: false },
  )
}

function setSafeHeaders(response: ServerResponse, requestId: string): void {
  response.setHeader('x-request-id', requestId)
  response.setHeader('cache-control', 'no-store')
  response.setHeader('x-content-type-options', 'nosniff')
  response.setHeader('referrer-policy', 'no-referrer')
  response.setHeader('cross-origin-resource-policy', 'same-origin')
}

const probes = ['/healthz', '/readyz']

function checkRequest(request: IncomingMessage, guards: Guards): void {
  const target = request.url ?? '/'
  checkFraming(request.rawHeaders, target, request.headers.host)
  // Probes of an orchestrator come to the bare address, and say nothing worth protecting.
  if (!probes.includes(target)) guards.checkHost(request.headers.host)
  guards.checkOrigin(request.headers.origin, request.headers.host)
  checkQuery(target)
}

function addPlainPaths(app: App, routes: readonly Route[], parts: HttpParts & Doorkeeping): void {
  const document = openApi(routes, parts.version)
  app.get('/api/v1/openapi.json', () => Response.json(document))
  app.get('/healthz', () => Response.json({ status: 'alive' }))
  app.get('/readyz', async () => {
    const { status, body } = await readiness(parts.health)
    return Response.json(body, { status })
  })
  app.get('/metrics', async ask => {
    await checkMetricsCaller(ask, parts)
    return new Response(await parts.metrics(), {
      headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    })
  })
  app.get('/', () => show(landingPage))
  for (const path of ['/api/v1/openapi.json', '/metrics', '/', ...probes])
    app.all(path, () => fail('http.method_not_allowed', { data: { allow: ['GET'] } }))
}

function show(page: Page): Response {
  return new Response(page.html, { headers: { ...page.headers } })
}

/** Metrics name servers and tools, so they are for auditors, and for a scraper on this machine when no proxy stands in front. */
async function checkMetricsCaller(ask: Ask, parts: HttpParts & Doorkeeping): Promise<void> {
  const { incoming: request, over, requestId } = ask.env
  if (over === 'local' || isDirectFromHere(request, parts.config)) return
  const caller = await authenticate({ request, over, requestId }, parts)
  if (caller.kind === 'account' || !mayEnter('auditor', caller))
    fail('identity.forbidden', { why: `Metrics need the role auditor; yours is ${caller.role}.` })
}

function isDirectFromHere(request: IncomingMessage, config: Config): boolean {
  const address = request.socket.remoteAddress?.replace(/^::ffff:/, '') ?? ''
  const isForwarded = 'forwarded' in request.headers || 'x-forwarded-for' in request.headers
  return isLoopback(address) && !isForwarded && config.publicUrl === undefined
}
