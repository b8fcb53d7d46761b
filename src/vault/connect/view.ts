/** Connections as people see them: what each is, what is wrong with it, and the one thing that repairs it. Never its secrets. */
import { z } from 'zod'
import type { Upstream } from '../../upstreams/index.ts'
import type { Credential } from '../credentials/credential.ts'
import { type Reason, whyNeeded } from '../credentials/needed.ts'

const time = z.iso.datetime().nullable()

export const connectionSchema = z.object({
  id: z.string().nullable().describe('null where nothing is connected yet.'),
  server: z.string().describe('`group/server`'),
  owner: z
    .string()
    .describe('`user:<email>`, `account:<name>`, or `everyone` for an account of the gateway.'),
  state: z
    .enum(['connected', 'ready', 'needed', 'broken'])
    .describe('ready: nothing was got yet, and the first call gets it with what your sign-in left.'),
  account: z.string().nullable().describe('Who that is at the server, as far as it says.'),
  issuer: z.string().nullable(),
  scopes: z.array(z.string()),
  expiresAt: time.describe('Of the present access token, which is renewed by itself where `renews` is true.'),
  renews: z.boolean(),
  refreshedAt: time,
  connectedAt: time,
  trouble: z.string().nullable(),
  repair: z.string().nullable().describe('The address to open in a browser.'),
})

export type Connection = z.infer<typeof connectionSchema>

const iso = (at: number | null) => (at === null ? null : new Date(at).toISOString())

type Shown = {
  readonly upstream: Upstream
  readonly owner: string
  readonly reason: Reason | undefined
  readonly link: string | null
  /** It is got when it is first used. */
  readonly isReady?: boolean
}

export function connectionOf(
  credential: Credential | undefined,
  { upstream, owner, reason, link, isReady }: Shown,
): Connection {
  const server = `${upstream.group}/${upstream.name}`
  return {
    id: credential?.id ?? null,
    server,
    owner,
    state: stateOf(reason, credential, isReady),
    account: credential?.account ?? null,
    issuer: credential?.issuer ?? null,
    scopes: [...(credential?.scopes ?? [])],
    expiresAt: iso(credential?.expiresAt ?? null),
    renews: credential?.isRefreshable ?? false,
    refreshedAt: iso(credential?.refreshedAt ?? null),
    connectedAt: iso(credential?.createdAt ?? null),
    trouble: reason === undefined ? null : whyNeeded(reason),
    repair: reason === undefined ? null : link,
  }
}

function stateOf(
  reason: Reason | undefined,
  credential: Credential | undefined,
  isReady = false,
): Connection['state'] {
  if (reason !== undefined) return credential === undefined ? 'needed' : 'broken'
  return isReady ? 'ready' : 'connected'
}
