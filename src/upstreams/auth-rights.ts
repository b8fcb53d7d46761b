/** Who may have the gateway show a server what an identity provider gave for people. */
import { managesAll } from '../access/index.ts'
import { fail } from '../foundation/errors.ts'
import { canonical } from '../foundation/json.ts'
import type { Caller } from '../foundation/route.ts'
import type { Sealing } from './sealing.ts'
import type { Upstream } from './upstream.ts'

/** Throws unless the caller is an admin, where it is so now or was, and where it goes or how is another. */
export function checkAuthRights(
  { isForAdmins }: Pick<Sealing, 'isForAdmins'>,
  caller: Caller,
  { next, present }: { readonly next: Upstream; readonly present?: Upstream },
): void {
  if (managesAll(caller)) return
  const kind = [next, present].find(server => server !== undefined && isForAdmins(server.auth.kind))?.auth
    .kind
  if (kind === undefined) return
  const isSame = present !== undefined && canonical(partsOf(present)) === canonical(partsOf(next))
  if (!isSame)
    fail('identity.forbidden', {
      why: `Only admins may set or change a server with auth kind ${kind}, because tokens of people are shown where it says.`,
      fix: 'Ask an admin.',
    })
}

function partsOf({ transport, auth }: Upstream) {
  return { transport, auth }
}
