/** Who may have the gateway show a server what an identity provider gave for people. */
import { managesAll } from '../access/index.ts'
import { fail } from '../foundation/errors.ts'
import { canonical } from '../foundation/json.ts'
import type { Caller } from '../foundation/route.ts'
import type { Sealing } from './sealing.ts'
import type { Upstream } from './upstream.ts'

type Change = { readonly next: Upstream; readonly present?: Upstream | undefined }

/** What an admin opened of a private network is for the server that is there, and not for whatever else its manager names. */
function checkAddresses(leadsTo: Sealing['leadsTo'], { next, present }: Change): void {
  const { transport, auth } = next
  if (transport.kind === 'stdio' || transport.allowPrivateNetwork === false) return
  const known = present === undefined ? [] : leadsTo(present.auth)
  const site = new URL(transport.url).origin
  const other = leadsTo(auth).find(each => !known.includes(each) && URL.parse(each)?.origin !== site)
  if (other !== undefined)
    fail('identity.forbidden', {
      why: `Only admins may have the gateway ask ${URL.parse(other)?.host ?? 'another host'} for a server that may be in a private network.`,
      fix: 'Ask an admin.',
    })
}

/** Throws unless the caller is an admin, where it is so now or was, and where it goes or how is another. */
export function checkAuthRights(
  { isForAdmins, leadsTo }: Pick<Sealing, 'isForAdmins' | 'leadsTo'>,
  caller: Caller,
  { next, present }: Change,
): void {
  if (managesAll(caller)) return
  checkAddresses(leadsTo, { next, present })
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
