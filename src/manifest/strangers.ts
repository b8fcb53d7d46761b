/** Names in a manifest of what is neither there nor in it. */
import { nearest } from '../foundation/nearest.ts'
import type { Path } from './problem.ts'
import type { Manifest } from './schema.ts'

export type Report = (path: Path, why: string, fix: string) => void

export type Names = {
  readonly users: ReadonlySet<string>
  readonly teams: ReadonlySet<string>
  readonly accounts: ReadonlySet<string>
  readonly groups: ReadonlySet<string>
  /** As `group/server`, real and virtual. */
  readonly servers: ReadonlySet<string>
  readonly realServers: ReadonlySet<string>
  readonly virtualServers: ReadonlySet<string>
  /** Users there will not be any more. */
  readonly leaving: ReadonlySet<string>
}

/** Reports a name that is not in the set, with the one that may be meant. */
export function reportUnknown(
  report: Report,
  path: Path,
  { what, name, among }: { what: string; name: string; among: ReadonlySet<string> },
): void {
  if (among.has(name)) return
  const meant = nearest(name, among)
  const fix = meant === undefined ? `Add it to the manifest, or correct the name.` : `Did you mean ${meant}?`
  report(path, `There is no ${what} ${name}.`, fix)
}

/** A user may be named before they first sign in; teams and accounts come from here or the API only. */
export function reportUnknownSubject(report: Report, path: Path, { subject, names }: Named): void {
  const [kind, name = ''] = subject.split(/:(.*)/s)
  if (kind === 'team') reportUnknown(report, path, { what: 'team', name, among: names.teams })
  if (kind === 'account')
    reportUnknown(report, path, { what: 'virtual account', name, among: names.accounts })
  if (kind === 'user' && names.leaving.has(name))
    report(
      path,
      `The user ${name} is not under users, so this would remove them and give them something.`,
      'Add the user under users, or take the name out here.',
    )
}

type Named = { readonly subject: string; readonly names: Names }

export function reportStrangers(manifest: Manifest, names: Names, report: Report): void {
  const known = (path: Path, what: string, name: string, among: ReadonlySet<string>) =>
    reportUnknown(report, path, { what, name, among })
  const knownSubject = (path: Path, subject: string) => reportUnknownSubject(report, path, { subject, names })
  manifest.identityProviders?.forEach(({ bound }, p) => {
    if (bound !== undefined && 'team' in bound)
      known(['identityProviders', p, 'bound', 'team'], 'team', bound.team, names.teams)
  })
  manifest.teams?.forEach(({ members }, t) => {
    for (const [m, email] of members.entries()) known(['teams', t, 'members', m], 'user', email, names.users)
  })
  manifest.virtualAccounts?.forEach(({ owner }, a) => {
    if (owner !== undefined)
      known(['virtualAccounts', a, 'owner'], 'user', owner.slice('user:'.length), names.users)
  })
  manifest.groups?.forEach(({ name, managers, access }, g) => {
    for (const [m, subject] of managers.entries()) knownSubject(['groups', g, 'managers', m], subject)
    access.forEach(({ subject, servers }, a) => {
      const path = ['groups', g, 'access', a]
      knownSubject([...path, 'subject'], subject)
      const inGroup = new Set(serversOf(names, name))
      for (const [s, server] of (servers ?? []).entries())
        known([...path, 'servers', s], `server in the group ${name} called`, server, inGroup)
    })
  })
  manifest.servers?.forEach(({ group }, s) => {
    known(['servers', s, 'group'], 'group', group, names.groups)
  })
}

function serversOf(names: Names, group: string): string[] {
  const prefix = `${group}/`
  return [...names.servers].filter(place => place.startsWith(prefix)).map(place => place.slice(prefix.length))
}
