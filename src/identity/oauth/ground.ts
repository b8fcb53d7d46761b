/** What an access token was given for. It ends with that, whenever it is looked at. */
import { z } from 'zod'
import { refused } from '../load.ts'
import { credentialsOf, keyMarksOf, markOf } from '../machines/credentials.ts'
import { secretById } from '../machines/machine-table.ts'
import type { Rejection } from '../principal.ts'
import { providerById } from '../providers/provider-table.ts'
import { settingsOf } from '../providers/stored.ts'
import { tokenById } from '../table.ts'
import { type From, grantById } from './table.ts'

export const groundSchema = z.discriminatedUnion('by', [
  z.object({ by: z.literal('secret'), id: z.string() }),
  z.object({ by: z.literal('key'), mark: z.string() }),
  z.object({ by: z.literal('workload'), mark: z.string(), provider: z.string() }),
  z.object({ by: z.literal('token'), id: z.string() }),
  z.object({ by: z.literal('grant'), id: z.string(), before: z.unknown().optional() }),
  z.object({ by: z.literal('provider'), id: z.string(), use: z.enum(['bearer', 'idJag']) }),
])

export type Ground = z.infer<typeof groundSchema>

const standing = { until: Number.POSITIVE_INFINITY }
type Standing = { readonly until: number }

const over = refused('What the access token was given for does not hold any more.')

/** Until when it holds at most; or that it does not. `credentials` are those of the account, where the token is one's. */
export async function stands(
  from: From,
  ground: Ground,
  credentials: string | null,
): Promise<Standing | Rejection> {
  switch (ground.by) {
    case 'secret': {
      const secret = await secretById(from, ground.id)
      return secret === undefined ? over : { until: secret.expires_at }
    }
    case 'key':
      return keyMarksOf(credentialsOf(credentials)).includes(ground.mark) ? standing : over
    case 'workload': {
      const isNamed = credentialsOf(credentials).workloads.some(each => markOf(each) === ground.mark)
      return isNamed ? allowed(from, ground.provider, 'workloads') : over
    }
    case 'token': {
      const token = await tokenById(from, ground.id)
      return token === undefined || token.revoked_at !== null ? over : { until: token.expires_at }
    }
    case 'grant':
      return grantStands(from, ground)
    case 'provider':
      return allowed(from, ground.id, ground.use)
  }
}

async function grantStands(
  from: From,
  { id, before }: Extract<Ground, { by: 'grant' }>,
): Promise<Standing | Rejection> {
  const grant = await grantById(from, id)
  if (grant === undefined) return over
  const until = { until: grant.expires_at }
  if (before === undefined) return until
  const stood = await stands(from, groundSchema.parse(before), null)
  return 'rejected' in stood ? stood : { until: Math.min(stood.until, until.until) }
}

async function allowed(
  from: From,
  id: string,
  use: 'workloads' | 'idJag' | 'bearer',
): Promise<Standing | Rejection> {
  const row = await providerById(from, id)
  if (row === undefined || row.removed_at !== null) return over
  const allows = settingsOf(row).use
  return (use === 'bearer' ? allows.bearer.includes('mcp') : allows[use] === true) ? standing : over
}
