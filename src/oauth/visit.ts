/** The request that the authorization server is busy with, for those of its parts that the library calls. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { BrowserSession } from '../identity/index.ts'

export type Visit = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  /** Who is signed in in the browser. */
  readonly session: BrowserSession | undefined
  /** What has been found out on the way. */
  readonly about: { clientName?: string; error?: string; why?: string; isDecided?: boolean }
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
