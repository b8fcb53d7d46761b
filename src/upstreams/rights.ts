/** Who may see, change and run servers. Using them is decided by access alone. */
import { isDeepStrictEqual } from 'node:util'
import { type Access, managesAll, seesAll } from '../access/index.ts'
import { fail } from '../foundation/errors.ts'
import type { Caller } from '../foundation/route.ts'
import type { StoredTransport, Transport, Upstream } from './upstream.ts'

type AnyTransport = Transport | StoredTransport

export function sees(access: Access, caller: Caller, server: Upstream): boolean {
  return inspects(access, caller, server) || access.clear(caller, 'server.use', targetOf(server)).allowed
}

/** May the caller see how the server is reached? */
export function inspects(access: Access, caller: Caller, { group }: Upstream): boolean {
  return seesAll(caller) || access.isManager(caller, group)
}

function targetOf({ group, name, policy }: Upstream) {
  return { group, server: name, policy }
}

/** The server, or the one answer for servers that are not there and servers that are not for this caller. */
export function visible(access: Access, caller: Caller, server: Upstream | undefined): Upstream {
  return server !== undefined && sees(access, caller, server) ? server : fail('access.not_found')
}

export function managed(access: Access, caller: Caller, server: Upstream | undefined): Upstream {
  const { group } = visible(access, caller, server)
  if (!access.isManager(caller, group)) notManager(group)
  return visible(access, caller, server)
}

/** Throws unless the caller may register servers in the group. */
export function checkGroup(access: Access, caller: Caller, group: string): void {
  if (!access.sees(caller, group)) fail('access.not_found')
  if (!access.isManager(caller, group)) notManager(group)
}

function notManager(group: string): never {
  return fail('identity.forbidden', { why: `You are no manager of the group ${group}.` })
}

/** Throws unless the caller may have the gateway run this, or reach into its own network. Unchanged reach needs no new right. */
export function checkTransportRights(caller: Caller, transport: AnyTransport, present?: AnyTransport): void {
  if (managesAll(caller)) return
  if (transport.kind === 'stdio' || present?.kind === 'stdio')
    fail('identity.forbidden', {
      why: 'Only admins may add, change or test stdio servers, because they are programs on the machine of the gateway.',
      fix: 'Ask an admin.',
    })
  const isSame =
    present?.url === transport.url &&
    isDeepStrictEqual(present.allowPrivateNetwork, transport.allowPrivateNetwork)
  if (transport.allowPrivateNetwork !== false && !isSame)
    fail('identity.forbidden', {
      why: 'Only admins may set allowPrivateNetwork, because it opens the network of the gateway.',
      fix: 'Ask an admin, or use a public address.',
    })
}
