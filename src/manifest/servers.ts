/** The servers of a manifest as they would be stored, or what keeps them from it. */
import { GatewayError } from '../foundation/errors.ts'
import type { Upstream } from '../upstreams/index.ts'
import type { Secrets } from '../vault/index.ts'
import { type Path, type Problem, written } from './problem.ts'
import type { Manifest } from './schema.ts'
import type { Source } from './source.ts'
import type { Rooms, State } from './state.ts'

type Composed = { readonly servers: readonly Upstream[]; readonly problems: readonly Problem[] }

export function composeServers(
  rooms: Pick<Rooms, 'register'>,
  { manifest, source, secrets }: { manifest: Manifest; source: Source; secrets: Secrets },
  state: State,
): Composed {
  const servers: Upstream[] = []
  const problems: Problem[] = []
  manifest.servers?.forEach((input, i) => {
    const previous = state.servers.find(({ group, name }) => group === input.group && name === input.name)
    try {
      servers.push(rooms.register.manifest.compose(input, secrets, previous))
    } catch (error) {
      if (!(error instanceof GatewayError) || error.status >= 500) throw error
      const path = pathOf(error, i)
      const { code, why, fix } = error
      problems.push({ code, line: source.lineOf(path), path: written(path), why, fix })
    }
  })
  return { servers, problems }
}

function pathOf({ code }: GatewayError, index: number): Path {
  const path: Path = ['servers', index]
  if (code === 'upstream.command_refused') return [...path, 'transport']
  if (code === 'upstream.address_refused') return [...path, 'transport', 'url']
  return code.startsWith('vault.') || code === 'http.bad_request' ? [...path, 'auth'] : path
}
