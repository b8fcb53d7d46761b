/** One request of a browser, as far as every page needs to know it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Addresses } from '../foundation/addresses.ts'
import type { Browsers } from '../foundation/browsers.ts'
import type { Clock } from '../foundation/clock.ts'
import { fail } from '../foundation/errors.ts'
import type { FailureLimit } from '../foundation/failure-limit.ts'
import type { Guards } from '../foundation/guards.ts'
import type { Log } from '../foundation/log.ts'
import { fieldsOf } from '../foundation/read-form.ts'
import type { Caller } from '../foundation/route.ts'
import type { Arriving, Identity } from '../identity/index.ts'
import type { Upstream } from '../upstreams/index.ts'
import type { Connect, Vault } from '../vault/index.ts'

export type SignInParts = {
  readonly identity: Pick<
    Identity,
    'signIn' | 'sessionOf' | 'idledSessionOf' | 'sessionCookie' | 'authorizations' | 'standInOf'
  >
  readonly addresses: Addresses
  readonly browsers: Browsers
  readonly guards: Guards
  /** Shared with the other planes: guessing links counts like guessing tokens. */
  readonly failures: FailureLimit
  readonly connect: Connecting
  /** Bounds the sign-ins that are begun. */
  readonly beginnings: FailureLimit
  readonly clock: Clock
  readonly log: Log
}

/** What connecting accounts at servers needs. */
export type Connecting = Pick<Connect, 'ask' | 'begin' | 'give' | 'finish'> &
  Pick<Vault, 'openLink' | 'clientDocument' | 'of' | 'disconnect'> & {
    find(group: string, name: string): Upstream | undefined
    mayUse(caller: Caller, upstream: Upstream): boolean
    /** The virtual account of this id, for the user who answers for it, and for admins. */
    answersFor(
      person: Caller,
      id: string,
    ): Promise<{ readonly id: string; readonly name: string } | undefined>
  }

export type Visit = {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly requestId: string
  readonly parts: SignInParts
  readonly path: string
  readonly query: ReadonlyMap<string, string>
  /** The origin the browser has in its address line. */
  readonly origin: string
  /** Which browser it is. */
  readonly mark: string
  readonly markCookie: string
  readonly arriving: Arriving
}

type Coming = Pick<Visit, 'request' | 'response' | 'requestId' | 'parts'>

export async function openVisit(coming: Coming): Promise<Visit> {
  const { request, requestId, parts } = coming
  const [path = '/', search = ''] = (request.url ?? '/').split(/\?(.*)/s)
  const { mark, cookie: markCookie } = parts.browsers.markOf(request)
  return {
    ...coming,
    path,
    query: fieldsOf(new URLSearchParams(search)),
    origin: parts.addresses.originOf(request.headers.host),
    mark,
    markCookie,
    arriving: {
      requestId,
      address: request.socket.remoteAddress ?? null,
      client: request.headers['user-agent'] ?? null,
      ...(await sessionsOf(coming)),
    },
  }
}

async function sessionsOf({ request, parts }: Coming): Promise<Pick<Arriving, 'before' | 'idled'>> {
  if (request.headers.cookie === undefined) return { before: undefined }
  try {
    const before = await parts.identity.sessionOf(request)
    return before === undefined ? { before, idled: await parts.identity.idledSessionOf(request) } : { before }
  } catch (cause) {
    return fail('identity.unavailable', { why: 'The store of sessions does not answer.', cause })
  }
}
