/** OpenAPI 3.1 from the declarations of the routes. */
import { z } from 'zod'
import { isObject, type JsonObject } from '../foundation/json.ts'
import type { Route } from '../foundation/route.ts'
import { sessionCookieName } from '../identity/index.ts'

export function openApi(routes: readonly Route[], version: string): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {}
  const schemas: Schemas = { Problem: problem }
  for (const route of routes) {
    const path = paths[route.path] ?? {}
    paths[route.path] = path
    path[route.method.toLowerCase()] = operation(route, schemas)
  }
  return {
    openapi: '3.1.1',
    info: {
      title: 'Gatehouse management API',
      version,
      description: 'Users, teams, server groups, servers, access, tokens and the audit of a Gatehouse.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ bearer: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A personal access token: gth_pat_...' },
        session: { type: 'apiKey', in: 'cookie', name: sessionCookieName, description: sessionWords },
      },
      schemas,
    },
  }
}

const sessionWords =
  'The session of a browser that signed in; __Host- stands before the name where there is https. Changes have to come from a page of the gateway, as JSON.'

/** Schemas that have a name, by it: the document has each once. */
type Schemas = Record<string, unknown>

const text = { type: 'string' }
const problem = {
  type: 'object',
  description: 'RFC 9457, with what to do about it. docs/errors.md lists every code.',
  required: ['type', 'title', 'status', 'code', 'why', 'fix', 'requestId'],
  properties: {
    type: text,
    title: text,
    status: { type: 'integer' },
    code: text,
    why: text,
    fix: text,
    requestId: text,
  },
}

function operation(route: Route, schemas: Schemas): JsonObject {
  const status = String(route.status ?? (route.answer === undefined ? 204 : 200))
  const answer = route.answer === undefined ? {} : content(schemaOf(route.answer, 'output', schemas))
  return {
    operationId: operationId(route),
    tags: [route.path.split('/')[3] ?? 'api'],
    summary: route.summary,
    description: entries[route.entry] + (route.stepUp ? stepUp : ''),
    ...(route.entry === 'anyone' ? { security: [] } : {}),
    parameters: [...parameters(route.params, 'path', schemas), ...parameters(route.query, 'query', schemas)],
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, ...content(schemaOf(route.body, 'input', schemas)) } }),
    responses: {
      [status]: { description: 'Done.', ...answer },
      default: {
        description: 'What went wrong, why, and the fix.',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  }
}

const entries = {
  anyone: 'Needs no token.',
  'signed-in': 'For every user; what it shows and allows depends on who asks.',
  auditor: 'For auditors and admins.',
  admin: 'For admins.',
} as const satisfies Record<Route['entry'], string>

/** How dangerous routes are told. */
const stepUp = ' With the session of a browser: within 10 minutes of signing in.'

/** `GET /api/v1/users/{email}` is `getUsersByEmail`. */
function operationId(route: Route): string {
  const words = route.path.split('/').slice(3)
  const named = words.map(word => (word.startsWith('{') ? `By${capital(word.slice(1, -1))}` : capital(word)))
  return route.method.toLowerCase() + named.join('').replaceAll(/\W/g, '')
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}

function content(schema: JsonObject): JsonObject {
  return { content: { 'application/json': { schema } } }
}

/** A schema as it stands in the document; what it refers to by name goes where the document keeps that. */
function schemaOf(schema: z.ZodType, io: 'input' | 'output', schemas: Schemas): JsonObject {
  const { $schema: _, ...whole } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  const moved: unknown = JSON.parse(JSON.stringify(whole).replaceAll('"#/$defs/', '"#/components/schemas/'))
  if (!isObject(moved)) return {}
  const { $defs = {}, ...rest } = moved
  Object.assign(schemas, $defs)
  return rest
}

function parameters(schema: z.ZodType | undefined, place: 'path' | 'query', schemas: Schemas): JsonObject[] {
  if (schema === undefined) return []
  // What was coerced has its type only on the way out, what has a default is required only there.
  const { properties } = schemaOf(schema, 'output', schemas)
  const { required } = schemaOf(schema, 'input', schemas)
  if (!isObject(properties)) return []
  return Object.entries(properties).map(([name, inner]) => ({
    name,
    in: place,
    required: place === 'path' || (Array.isArray(required) && required.includes(name)),
    schema: inner,
  }))
}
