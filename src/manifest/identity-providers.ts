/** The identity providers of a manifest as they would be stored, or what keeps them from it. */
import { GatewayError } from '../foundation/errors.ts'
import type { StoredProvider } from '../identity/index.ts'
import type { Secrets } from '../vault/index.ts'
import { type Path, type Problem, written } from './problem.ts'
import type { Manifest } from './schema.ts'
import type { Source } from './source.ts'
import type { Rooms, State } from './state.ts'

type Composed = {
  readonly identityProviders: readonly StoredProvider[]
  readonly problems: readonly Problem[]
}

export function composeProviders(
  { identity }: Pick<Rooms, 'identity'>,
  { manifest, source, secrets }: { manifest: Manifest; source: Source; secrets: Secrets },
  state: State,
): Composed {
  const identityProviders: StoredProvider[] = []
  const problems: Problem[] = []
  manifest.identityProviders?.forEach((input, i) => {
    const previous = state.identityProviders.find(({ name }) => name === input.name)
    try {
      identityProviders.push(identity.composeProvider(input, { secrets, previous }))
    } catch (error) {
      if (!(error instanceof GatewayError) || error.status >= 500) throw error
      const { code, why, fix } = error
      const path: Path = ['identityProviders', i, ...(code.startsWith('vault.') ? ['clientSecret'] : [])]
      problems.push({ code, line: source.lineOf(path), path: written(path), why, fix })
    }
  })
  return { identityProviders, problems }
}
