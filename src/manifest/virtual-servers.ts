/** The virtual servers of a manifest: how they compare with those that are there, and what keeps them from being published. */
import { normalGroup } from '../access/index.ts'
import { type DeclaredVirtual, declared, keyed, type VirtualVerbs } from '../servers/index.ts'
import type { Upstream } from '../upstreams/index.ts'
import { type Difference, differences } from './differences.ts'
import { type Path, type Problem, written } from './problem.ts'
import { type Doomed, nameOf } from './prune.ts'
import type { Manifest } from './schema.ts'
import type { Source } from './source.ts'
import type { State } from './state.ts'

/** The servers there will be, as they will be. */
export function serversAfter(state: State, wanted: readonly Upstream[], doomed: Doomed): Upstream[] {
  const named = new Set(wanted.map(nameOf))
  const staying = state.servers.filter(
    server => !named.has(nameOf(server)) && !doomed.servers.has(nameOf(server)),
  )
  return [...staying, ...wanted]
}

/** Access in the one way it is written, so that two that mean the same are the same. */
export function normalVirtual(server: DeclaredVirtual): DeclaredVirtual {
  const { access } = normalGroup({
    name: server.name,
    description: '',
    managers: [],
    access: [...server.access],
  })
  return { ...server, access: access.map(({ servers: _, ...grant }) => grant) }
}

/** Compared with what is served. A draft that waits is left alone as long as that is not changed, and lost when it is. */
export function virtualDifferences(before: DeclaredVirtual, wanted: DeclaredVirtual): Difference[] {
  const { description, access } = before
  const about = differences(
    { description, access },
    { description: wanted.description, access: wanted.access },
  )
  const definition = differences(shown(before.published), shown(wanted.published))
  const draft = definition.length > 0 && before.draft !== undefined
  return [...about, ...definition, ...(draft ? [draftDifference(before, wanted)] : [])]
}

function shown(definition: DeclaredVirtual['published']) {
  return definition === undefined ? {} : keyed(definition)
}

function draftDifference({ draft }: DeclaredVirtual, { published }: DeclaredVirtual): Difference {
  const isSame = differences(shown(draft), shown(published)).length === 0
  const to = isSame ? 'published' : 'replaced by what the manifest says'
  return { path: 'draft', from: 'written and not published', to }
}

type Given = { readonly manifest: Manifest; readonly source: Source; readonly servers: readonly Upstream[] }

/** What is wrong with those that would be published, as far as their sources are known. */
export function checkVirtualServers(
  verbs: VirtualVerbs,
  { manifest, source, servers }: Given,
  state: State,
): Problem[] {
  const before = new Map(state.virtualServers.map(each => [nameOf(each), each.published]))
  const places = new Set(servers.map(nameOf))
  return (manifest.virtualServers ?? []).flatMap((input, at) => {
    const wanted = declared(input)
    const isSame = differences(shown(before.get(nameOf(wanted))), shown(wanted.published)).length === 0
    if (isSame) return []
    return verbs.problems(wanted, servers).flatMap(({ code, why, fix, source: place }) => {
      // That a source is not there is said where names are.
      if (place !== undefined && !places.has(place)) return []
      const index = input.sources.findIndex(({ server }) => server === place)
      const path: Path = ['virtualServers', at, ...(index < 0 ? [] : ['sources', index])]
      return [{ code, line: source.lineOf(path), path: written(path), why, fix: fix ?? sameNameFix }]
    })
  })
}

const sameNameFix = 'Give one of them another name with "as", or leave it out.'
