/** The access tokens that the gateway's own authorization server gave to MCP clients. */
import { isObject } from '../../foundation/json.ts'
import { mcpAddressOf } from '../../foundation/mcp-address.ts'
import type { Known, Verifier } from '../identify.ts'
import { frozen, refused, userCaller, whyUserRefused } from '../load.ts'
import type { Rejection } from '../principal.ts'
import { tokenKind } from '../token-format.ts'
import { accessToken, type From, type TokenRow } from './table.ts'

type Parts = {
  readonly kysely: From
  hash(token: string): string
  used(grantId: string): void
}

export function oauthAccessTokens({ kysely, hash, used }: Parts): Verifier {
  const verify = async (hashed: string): Promise<Known | Rejection> => {
    const row = await accessToken(kysely, hashed)
    if (row === undefined) return refused('The access token is not known here, or was revoked.')
    const why = whyUserRefused(row)
    if (why !== undefined) return refused(why)
    return { ...(await knownFrom(kysely, row)), used: () => used(row.id), again: () => verify(hashed) }
  }
  return { takes: text => tokenKind(text) === 'oat', verify: text => verify(hash(text)) }
}

type Described = Omit<Known, 'used' | 'again'>

async function knownFrom(kysely: From, row: TokenRow): Promise<Described> {
  const { aud, scope } = audienceOf(row.payload)
  const caller = await userCaller(kysely, { ...row, id: row.user_id }, row.id)
  const client = { id: row.client_id, name: row.client_name }
  return {
    principal: frozen({ ...caller, scopes: Object.freeze(scope.split(' ')), client }),
    expiresAt: row.expires_at ?? 0,
    admits: resource => admits(aud, resource),
  }
}

function audienceOf(payload: string): { aud: string; scope: string } {
  const said: unknown = JSON.parse(payload)
  const { aud, scope } = isObject(said) ? said : {}
  return { aud: typeof aud === 'string' ? aud : '', scope: typeof scope === 'string' ? scope : '' }
}

/** The server it was given for, at whichever of its addresses; one for the gateway as a whole is good at all of them. */
function admits(audience: string, resource: string): boolean {
  const asked = mcpAddressOf(resource)
  const path = URL.parse(audience)?.pathname
  if (asked === undefined || path === undefined) return false
  return path === '/' || mcpAddressOf(path)?.canonical === asked.canonical
}
