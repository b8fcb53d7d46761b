/** What a well-formed manifest can still get wrong: names that stand twice, names of nobody. */
import { nearest } from '../foundation/nearest.ts'
import { type Path, type Problem, quoted, written } from './problem.ts'
import { type Doomed, nameOf, sections } from './prune.ts'
import type { Manifest } from './schema.ts'
import type { Source } from './source.ts'
import type { State } from './state.ts'
import { valueAt } from './validate.ts'

type Report = (path: Path, why: string, fix: string) => void

type Known = { readonly state: State; readonly doomed: Doomed }

export type Names = {
  readonly users: ReadonlySet<string>
  readonly teams: ReadonlySet<string>
  readonly accounts: ReadonlySet<string>
  readonly groups: ReadonlySet<string>
  /** As `group/server`. */
  readonly servers: ReadonlySet<string>
  /** Users there will not be any more. */
  readonly leaving: ReadonlySet<string>
}

export function check(manifest: Manifest, source: Source, { state, doomed }: Known): Problem[] {
  const problems: Problem[] = []
  const report: Report = (path, why, fix) => {
    const value = quoted(path, valueAt(source.value, path))
    problems.push({
      code: 'manifest.invalid',
      line: source.lineOf(path),
      path: written(path),
      ...value,
      why,
      fix,
    })
  }
  reportTwins(manifest, report)
  reportStrangers(manifest, namesAfter(manifest, state, doomed), report)
  return problems
}

function reportTwins(manifest: Manifest, report: Report): void {
  for (const section of sections) {
    const names = (manifest[section] ?? []).map(nameOf)
    names.forEach((name, i) => {
      const first = names.indexOf(name)
      if (first < i)
        report(
          [section, i],
          `${name} stands here again; it was first ${section}[${first}].`,
          'Keep one of them.',
        )
    })
  }
}

function reportStrangers(manifest: Manifest, names: Names, report: Report): void {
  const known = (path: Path, what: string, name: string, set: ReadonlySet<string>) => {
    if (set.has(name)) return
    const meant = nearest(name, set)
    const fix =
      meant === undefined ? `Add it to the manifest, or correct the name.` : `Did you mean ${meant}?`
    report(path, `There is no ${what} ${name}.`, fix)
  }
  const knownSubject = (path: Path, subject: string) => {
    const [kind, name = ''] = subject.split(/:(.*)/s)
    // A user may be named before they first sign in; teams and accounts come from here or the API only.
    if (kind === 'team') known(path, 'team', name, names.teams)
    if (kind === 'account') known(path, 'virtual account', name, names.accounts)
    if (kind === 'user' && names.leaving.has(name))
      report(
        path,
        `The user ${name} is not under users, so this would remove them and give them something.`,
        'Add the user under users, or take the name out here.',
      )
  }
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

/** The names there will be once the manifest is applied. */
export function namesAfter(manifest: Manifest, state: State, doomed: Doomed): Names {
  const after = (section: keyof Doomed) => {
    const wanted = (manifest[section] ?? []).map(nameOf)
    const staying = state[section].map(nameOf).filter(name => !doomed[section].has(name))
    return new Set([...staying, ...wanted])
  }
  return {
    users: after('users'),
    teams: after('teams'),
    accounts: after('virtualAccounts'),
    groups: after('groups'),
    servers: after('servers'),
    leaving: doomed.users,
  }
}
