import type { Caller } from '../foundation/route.ts'
import type { Manifest } from './schema.ts'
import type { State } from './state.ts'

export const sections = [
  'identityProviders',
  'users',
  'teams',
  'virtualAccounts',
  'groups',
  'servers',
  'virtualServers',
  'policies',
] as const
export type Section = (typeof sections)[number]

/** Names of what pruning removes, by section. */
export type Doomed = Readonly<Record<Section, ReadonlySet<string>>>

export type Named = { readonly email: string } | { readonly name: string; readonly group?: string }

/** What a thing is called within its section. */
export function nameOf(thing: Named): string {
  if ('email' in thing) return thing.email
  return thing.group === undefined ? thing.name : `${thing.group}/${thing.name}`
}

/**
 * Everything that is there and the manifest does not name, in the sections it has. A section that is left out is left
 * alone. Whoever applies stays, and so do all admins when the manifest names none, and people whom identity providers bring; and so do virtual servers that were never
 * published: they are no part of what is served.
 */
export function doomedBy(manifest: Manifest, state: State, caller: Caller): Doomed {
  const doomed = (section: Section) => {
    const wanted = manifest[section]
    if (wanted === undefined) return new Set<string>()
    const named = new Set(wanted.map(nameOf))
    return new Set(state[section].map(nameOf).filter(name => !named.has(name)))
  }
  const users = doomed('users')
  const namesAdmin = manifest.users?.some(user => user.role === 'admin') ?? false
  for (const { email, role, isProvisioned } of state.users) {
    const isCaller = caller.kind === 'user' && caller.name === email
    if (isCaller || isProvisioned || (role === 'admin' && !namesAdmin)) users.delete(email)
  }
  const virtualServers = doomed('virtualServers')
  for (const server of state.virtualServers)
    if (server.published === undefined) virtualServers.delete(nameOf(server))
  return {
    identityProviders: doomed('identityProviders'),
    users,
    teams: doomed('teams'),
    virtualAccounts: doomed('virtualAccounts'),
    groups: doomed('groups'),
    servers: doomed('servers'),
    virtualServers,
    policies: doomed('policies'),
  }
}

export const nothingDoomed: Doomed = {
  identityProviders: new Set(),
  users: new Set(),
  teams: new Set(),
  virtualAccounts: new Set(),
  groups: new Set(),
  servers: new Set(),
  virtualServers: new Set(),
  policies: new Set(),
}
