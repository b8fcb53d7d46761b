/** What a provider gives at a sign-in, as it is kept: sealed for its person and provider, and for nothing else. */
import { z } from 'zod'
import type { Seals } from '../flows.ts'
import type { From } from '../table.ts'
import { deleteOldTokens, putTokens, type TokensRow, type Whose } from './provider-tokens-table.ts'

const keptSchema = z.object({
  /** `sub` at the provider: what is renewed must be theirs. */
  subject: z.string(),
  id: z.string().optional(),
  /** Milliseconds since 1970; null where nobody says when it ends. */
  idUntil: z.number().nullable(),
  access: z.string().optional(),
  accessUntil: z.number().nullable(),
  refresh: z.string().optional(),
  /** The provider renews without an ID token. */
  givesNoId: z.boolean().optional(),
})

export type Given = z.infer<typeof keptSchema>

/** A longer one is kept by nobody: it could not be sent either. */
const longestToken = 16_384
/** What nobody used or renewed for so long is thrown away. */
const oldMilliseconds = 90 * 86_400_000

export const tokensPlace = (userId: string, providerId: string): readonly string[] => [
  'provider_tokens',
  userId,
  'sealed',
  providerId,
  '1',
]

export function sealGiven(seals: Seals, { userId, providerId }: Whose, given: Given) {
  const { id = '', access = '', refresh = '', ...rest } = given
  const short = (name: string, token: string) =>
    token === '' || token.length > longestToken ? {} : { [name]: token }
  const kept = { ...rest, ...short('id', id), ...short('access', access), ...short('refresh', refresh) }
  return seals.seal(JSON.stringify(kept), tokensPlace(userId, providerId))
}

/** Throws `vault.unsealable`. */
export async function openGiven(seals: Seals, row: TokensRow): Promise<Given> {
  const text = await seals.open(row.sealed, tokensPlace(row.user_id, row.provider_id))
  return keptSchema.parse(JSON.parse(text))
}

type Keeping = Whose & {
  readonly sessionId: string
  readonly providerSession: string | undefined
  readonly given: Given
  readonly now: number
}

/** Keeps what came with a sign-in, in its transaction. */
export async function keepGiven(from: From, seals: Seals, keeping: Keeping): Promise<void> {
  const { userId, providerId, sessionId, providerSession, given, now } = keeping
  await deleteOldTokens(from, now - oldMilliseconds)
  await putTokens(from, {
    user_id: userId,
    provider_id: providerId,
    session_id: sessionId,
    provider_session: providerSession ?? null,
    sealed: await sealGiven(seals, keeping, given),
    // Never a number of before: whoever renews the former ones has lost.
    version: now,
    lease: null,
    lease_until: null,
    signed_in_at: now,
    updated_at: now,
  })
}
