/** Which resources a path is about. */
import SCIMMY from 'scimmy'
import { z } from 'zod'
import { fail } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import type { Ask } from './resources.ts'

export type Target = {
  readonly isSearch: boolean
  read(ask: Ask): Promise<unknown>
  create(body: JsonObject, ask: Ask): Promise<unknown>
  write(body: JsonObject, ask: Ask): Promise<unknown>
  patch(body: JsonObject, ask: Ask): Promise<unknown>
  search(body: JsonObject, ask: Ask): Promise<unknown>
  remove(ask: Ask): Promise<void>
}

const kinds = {
  Users: SCIMMY.Resources.User,
  Groups: SCIMMY.Resources.Group,
  Schemas: SCIMMY.Resources.Schema,
  ResourceTypes: SCIMMY.Resources.ResourceType,
  ServiceProviderConfig: SCIMMY.Resources.ServiceProviderConfig,
} as const

type Kind = keyof typeof kinds
const isKind = (name: string): name is Kind => Object.hasOwn(kinds, name)
const longestFilter = 1000

const patchBody = z.object({
  schemas: z.array(z.literal('urn:ietf:params:scim:api:messages:2.0:PatchOp')).length(1),
  Operations: z
    .array(
      z.object({
        // Entra writes them with a capital.
        op: z
          .string()
          .toLowerCase()
          .pipe(z.enum(['add', 'remove', 'replace'])),
        path: z.string().max(longestFilter).exactOptional(),
        value: z.unknown().exactOptional(),
      }),
    )
    .min(1)
    .max(1000),
})
const mostResults = 1000

/** The resources of a request target below `/scim/v2`; `root` is where these are, from outside. Throws `http.not_found`. */
export function routeOf(target: string, root: string): Target {
  const url = new URL(target, 'http://gateway.invalid')
  const [, name = '', id, ...more] = url.pathname.slice('/scim/v2'.length).split('/')
  if (!isKind(name) || more.length > 0) return fail('http.not_found')
  const kind = kinds[name]
  kind.basepath(root)
  const isSearch = id === '.search'
  const isKept = name === 'Users' || name === 'Groups'
  const decoded = id === undefined || id === '' || isSearch ? undefined : idIn(id)
  const changing = () =>
    isKept ? new kind(decoded) : fail('http.method_not_allowed', { data: { allow: ['GET'] } })
  const asked = (params: URLSearchParams) => new kind(decoded, settingsOf(params))
  return {
    isSearch,
    read: ask => asked(url.searchParams).read(ask),
    create: (body, ask) => (decoded === undefined ? changing().write(body, ask) : methodNotAllowed()),
    write: (body, ask) => (decoded === undefined ? methodNotAllowed() : changing().write(body, ask)),
    patch: (body, ask) => changing().patch(patchBody.parse(body), ask),
    search: (body, ask) => new kind(undefined, settingsOf(paramsOf(body))).read(ask),
    remove: ask => changing().dispose(ask),
  }
}

/** Ids are ours, or URNs of schemas; anything else in their place names nothing. */
function idIn(written: string): string {
  return /^(?:[\w:.~-]|%[2-7][\da-f]){1,200}$/i.test(written)
    ? decodeURIComponent(written)
    : fail('http.not_found')
}

function methodNotAllowed(): never {
  return fail('http.method_not_allowed', { data: { allow: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] } })
}

function settingsOf(params: URLSearchParams) {
  const filter = params.get('filter') ?? undefined
  if (filter !== undefined && filter.length > longestFilter)
    fail('http.bad_request', { why: `A filter has at most ${longestFilter} characters.` })
  const text = (name: string) => {
    const value = params.get(name)
    return value === null || value === '' ? {} : { [name]: value }
  }
  const whole = (name: string, most: number) => {
    const value = params.get(name)
    if (value === null) return {}
    if (!/^-?\d{1,9}$/.test(value)) fail('http.bad_request', { why: `${name} is not a whole number.` })
    return { [name]: Math.min(Math.max(Number(value), name === 'count' ? 0 : 1), most) }
  }
  return {
    ...text('filter'),
    ...text('attributes'),
    ...text('excludedAttributes'),
    ...text('sortBy'),
    ...text('sortOrder'),
    ...whole('startIndex', Number.MAX_SAFE_INTEGER),
    ...whole('count', mostResults),
  }
}

/** A search request says in its body what a query says in the URL (RFC 7644, 3.4.3). */
function paramsOf(body: JsonObject): URLSearchParams {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(body)) {
    if (typeof value === 'string' || typeof value === 'number') params.set(name, String(value))
    else if (Array.isArray(value) && name !== 'schemas') params.set(name, value.join(','))
  }
  return params
}
