/** What a well-formed manifest can still get wrong: names that stand twice, names of nobody. */
import { reportVirtual } from './check-virtual.ts'
import { type Problem, quoted, written } from './problem.ts'
import { type Doomed, nameOf, sections } from './prune.ts'
import type { Manifest } from './schema.ts'
import type { Source } from './source.ts'
import type { State } from './state.ts'
import { type Names, type Report, reportStrangers } from './strangers.ts'
import { valueAt } from './validate.ts'

type Known = { readonly state: State; readonly doomed: Doomed }

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
  const names = namesAfter(manifest, state, doomed)
  reportStrangers(manifest, names, report)
  reportVirtual({ manifest, names, state, doomed }, report)
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

/** The names there will be once the manifest is applied. */
export function namesAfter(manifest: Manifest, state: State, doomed: Doomed): Names {
  const after = (section: keyof Doomed) => {
    const wanted = (manifest[section] ?? []).map(nameOf)
    const staying = state[section].map(nameOf).filter(name => !doomed[section].has(name))
    return new Set([...staying, ...wanted])
  }
  const realServers = after('servers')
  const virtualServers = after('virtualServers')
  return {
    users: after('users'),
    teams: after('teams'),
    accounts: after('virtualAccounts'),
    groups: after('groups'),
    servers: new Set([...realServers, ...virtualServers]),
    realServers,
    virtualServers,
    leaving: doomed.users,
  }
}
