/** The request that the authorization server is busy with, for those of its parts that the library calls. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Caller } from '../foundation/route.ts'
import type { BrowserSession, Ground } from '../identity/index.ts'

export type Visit = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  /** Who is signed in in the browser. */
  readonly session: BrowserSession | undefined
  /** What has been found out on the way. */
  readonly about: About
}

type About = {
  clientName?: string
  error?: string
  why?: string
  isDecided?: boolean
  /** It is in the audit. */
  isTold?: boolean
  /** Whom a token was given for. */
  who?: Pick<Caller, 'id' | 'kind' | 'name'>
  /** How a client authenticates, by what it sends. */
  authentication?: () => 'none' | 'secret' | 'key'
  /** The secret that a virtual account proved itself by. */
  secretId?: string
  /** What the token that is made hangs on. */
  held?: { readonly accountId?: string; readonly ground: Ground; readonly act?: unknown }
  /** How long a grant is good that is made for one token. */
  grantSeconds?: number
}

const visits = new AsyncLocalStorage<Visit>()

export function during<T>(visit: Visit, work: () => T): T {
  return visits.run(visit, work)
}

export function visit(): Visit {
  const current = visits.getStore()
  if (current === undefined) throw new Error('The authorization server works for no request.')
  return current
}
