/** What virtual servers of a manifest can get wrong that other things cannot: their sources, and names that a server has. */
import { type Doomed, nameOf } from './prune.ts'
import type { Manifest } from './schema.ts'
import type { State } from './state.ts'
import { type Names, type Report, reportUnknown, reportUnknownSubject } from './strangers.ts'

type Given = {
  readonly manifest: Manifest
  readonly names: Names
  readonly state: State
  readonly doomed: Doomed
}

export function reportVirtual(given: Given, report: Report): void {
  const { manifest, names } = given
  manifest.virtualServers?.forEach(({ group, access, sources }, v) => {
    const at = ['virtualServers', v]
    reportUnknown(report, [...at, 'group'], { what: 'group', name: group, among: names.groups })
    for (const [a, { subject }] of access.entries())
      reportUnknownSubject(report, [...at, 'access', a, 'subject'], { subject, names })
    for (const [s, { server }] of sources.entries()) {
      const path = [...at, 'sources', s, 'server']
      if (names.realServers.has(server)) continue
      if (names.virtualServers.has(server))
        report(path, `${server} is itself virtual.`, 'Name the servers that it is made of.')
      else reportUnknown(report, path, { what: 'server', name: server, among: names.realServers })
    }
  })
  reportTakenNames(given, report)
  reportLostSources(given, report)
}

/** A name in a group is taken once, also while one of the two is on its way out: grants and policies mean it by that name. */
function reportTakenNames({ manifest, names, doomed }: Given, report: Report): void {
  const taken = (
    section: 'servers' | 'virtualServers',
    others: readonly (readonly [string, ReadonlySet<string>])[],
  ) =>
    manifest[section]?.map(nameOf).forEach((name, i) => {
      for (const [what, places] of others)
        if (places.has(name))
          report(
            [section, i, 'name'],
            `${name} is the name of ${what}.`,
            what.endsWith('removed')
              ? 'Remove that one first, in an application of its own, or take another name.'
              : 'Take another name for one of them.',
          )
    })
  const wantedVirtual = new Set(manifest.virtualServers?.map(nameOf))
  taken('virtualServers', [
    ['a server', names.realServers],
    ['a server that is being removed', doomed.servers],
  ])
  // Two of one manifest are told of once.
  taken('servers', [
    ['a virtual server', new Set([...names.virtualServers].filter(name => !wantedVirtual.has(name)))],
    ['a virtual server that is being removed', doomed.virtualServers],
  ])
}

/** Virtual servers that the manifest does not have, and that stay, go on needing their sources. */
function reportLostSources({ manifest, state, doomed }: Given, report: Report): void {
  const wanted = new Set(manifest.virtualServers?.map(nameOf))
  const staying = state.virtualServers.filter(
    each => !wanted.has(nameOf(each)) && !doomed.virtualServers.has(nameOf(each)),
  )
  for (const server of staying)
    for (const source of server.published?.sources ?? [])
      if (doomed.servers.has(source.server))
        report(
          ['servers'],
          `This would remove ${source.server}, which the virtual server ${nameOf(server)} is made of.`,
          `Keep the server in the manifest, or change ${nameOf(server)} first.`,
        )
}
