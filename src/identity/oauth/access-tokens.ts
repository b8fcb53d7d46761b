/** The access tokens that the gateway's own authorization server gave to MCP clients and to machines. */
import { z } from 'zod'
import { mcpAddressOf } from '../../foundation/mcp-address.ts'
import type { Caller } from '../../foundation/route.ts'
import { type Known, otherKey, type Verifier } from '../identify.ts'
import {
  accountCaller,
  frozen,
  refused,
  unboundRefusal,
  userCaller,
  whyAccountRefused,
  whyUserRefused,
} from '../load.ts'
import type { Rejection } from '../principal.ts'
import { boundOf, confined } from '../providers/bounds.ts'
import { tokenKind } from '../token-format.ts'
import { groundSchema, stands } from './ground.ts'
import { type AccountTokenRow, accessToken, accountToken, type From, type TokenRow } from './table.ts'

type Parts = {
  readonly kysely: From
  hash(token: string): string
  used(grantId: string): void
}

/** What of its payload decides. */
const payloadSchema = z.object({
  aud: z.string().catch(''),
  scope: z.string().catch(''),
  clientId: z.string().optional(),
  /** The thumbprint of the key it is bound to. */
  jkt: z.string().optional(),
  ground: groundSchema.optional(),
  extra: z.object({ act: z.unknown().optional() }).optional(),
})

type Payload = z.infer<typeof payloadSchema>
type Found = { readonly caller: Caller; readonly id: string | undefined; readonly credentials: string | null }

export function oauthAccessTokens(parts: Parts): Verifier {
  return {
    takes: text => tokenKind(text) === 'oat',
    verify: (text, key) => verify(parts, parts.hash(text), key),
  }
}

async function verify(parts: Parts, hashed: string, key: string | undefined): Promise<Known | Rejection> {
  const { kysely } = parts
  const ofPerson = await accessToken(kysely, hashed)
  const row = ofPerson ?? (await accountToken(kysely, hashed))
  if (row === undefined) return refused('The access token is not known here, or was revoked.')
  const said = payloadSchema.parse(JSON.parse(row.payload))
  const foreign = otherKey(said.jkt, key)
  if (foreign !== undefined) return foreign
  const found = 'user_id' in row ? await person(kysely, row) : await account(kysely, row, said)
  if ('rejected' in found) return found
  const stood = said.ground && (await stands(kysely, said.ground, found.credentials))
  if (stood !== undefined && 'rejected' in stood) return stood
  return {
    ...described(said, found),
    expiresAt: Math.min(row.expires_at ?? 0, stood?.until ?? Number.POSITIVE_INFINITY),
    used: () => found.id !== undefined && parts.used(found.id),
    again: () => verify(parts, hashed, key),
  }
}

function described({ aud, scope, jkt, ground, extra }: Payload, { caller, id }: Found) {
  const hangsOn = id === undefined ? ground : ({ by: 'grant', id, before: ground } as const)
  return {
    principal: frozen({ ...caller, scopes: Object.freeze(scope.split(' ')) }),
    admits: (resource: string) => admits(aud, resource),
    ...(jkt !== undefined && { boundTo: jkt }),
    ...(hangsOn !== undefined && { ground: hangsOn }),
    ...(extra?.act !== undefined && { act: extra.act }),
  }
}

async function person(kysely: From, row: TokenRow): Promise<Found | Rejection> {
  const why = whyUserRefused(row)
  if (why !== undefined) return refused(why)
  const client = { id: row.client_id, name: row.client_name }
  const caller = await userCaller(kysely, { ...row, id: row.user_id }, row.id)
  return { caller: { ...caller, client }, id: row.id, credentials: null }
}

/** A workload that comes from within bounds brings them along. */
async function account(
  kysely: From,
  row: AccountTokenRow,
  { jkt, ground, clientId = '' }: Payload,
): Promise<Found | Rejection> {
  const why = whyAccountRefused(row)
  if (why !== undefined) return refused(why)
  const unbound = unboundRefusal(row.credentials_json, jkt)
  if (unbound !== undefined) return unbound
  const own = await accountCaller(kysely, row, row.hash.slice(0, 22))
  const bound = ground?.by === 'workload' ? await boundOf(kysely, ground.provider) : undefined
  const client = { id: clientId, name: clientId }
  return {
    caller: confined(clientId === '' ? own : { ...own, client }, bound),
    id: undefined,
    credentials: row.credentials_json,
  }
}

/** The server it was given for, at whichever of its addresses; one for the gateway as a whole is good at all of them. */
function admits(audience: string, resource: string): boolean {
  const asked = mcpAddressOf(resource)
  const path = URL.parse(audience)?.pathname
  if (asked === undefined || path === undefined) return false
  return path === '/' || mcpAddressOf(path)?.canonical === asked.canonical
}
