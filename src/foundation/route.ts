import type { z } from 'zod'

export type Role = 'admin' | 'member' | 'auditor'

/** What somebody can never be given anything outside of: groups that begin so, or what this team is given. */
export type Within = { readonly groupPrefix: string } | { readonly team: string }

/** Who makes a call, as far as a route needs to know. `identity` makes them; nothing else does. */
export type Caller = {
  /** Stable id of the user or virtual account; `operator` for the person on the gateway's own machine. */
  readonly id: string
  readonly kind: 'user' | 'account' | 'operator'
  /** E-mail of a user, name of an account, `operator`. */
  readonly name: string
  readonly role: Role
  /** Every subject this caller stands for in grants, as written in the manifest: `user:<email>`, `team:<name>`, `account:<name>`, `everyone`. */
  readonly subjects: readonly string[]
  /** Of the token, or of the session of their browser. */
  readonly tokenId: string | undefined
  /** The bounds of the identity provider they come from, where it has some. */
  readonly within?: Within
  /** What the token is limited to, for the token of an OAuth client; absent for those that are good for all that is granted. */
  readonly scopes?: readonly string[]
  /** The OAuth client that acts for them. */
  readonly client?: { readonly id: string; readonly name: string }
}

export type RouteInput<Params, Query, Body> = {
  readonly caller: Caller
  readonly params: Params
  readonly query: Query
  readonly body: Body
  readonly requestId: string
}

/** Which roles may enter. Finer rules (a group's managers) are the room's own, inside `act`. */
export type Entry = 'anyone' | 'signed-in' | 'auditor' | 'admin'

export type Route = {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With `{name}` parameters, from the root: `/api/v1/users/{id}`. */
  readonly path: string
  readonly summary: string
  readonly entry: Entry
  /** Dangerous: a browser's session must be fresh. Bearer tokens are not asked. */
  readonly stepUp?: true
  /** Status of success; 200 unless told, 204 when there is nothing to say. */
  readonly status?: number
  readonly params?: z.ZodType
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  readonly answer?: z.ZodType
  act(input: RouteInput<unknown, unknown, unknown>): Promise<unknown>
}

type Schema<T> = z.ZodType<T>

/** Declares a route; `act` gets its parts already validated by the schemas. */
export function route<Params = undefined, Query = undefined, Body = undefined, Answer = undefined>(declared: {
  readonly method: Route['method']
  readonly path: string
  readonly summary: string
  readonly entry: Entry
  readonly stepUp?: true
  readonly status?: number
  readonly params?: Schema<Params>
  readonly query?: Schema<Query>
  readonly body?: Schema<Body>
  readonly answer?: Schema<Answer>
  act(input: RouteInput<Params, Query, Body>): Promise<Answer>
}): Route {
  return declared as Route
}
