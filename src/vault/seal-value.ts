import { isCredentialName, isCredentialValue } from '../foundation/credential.ts'
import { GatewayError } from '../foundation/errors.ts'
import type { SealedValue, SealPlace } from '../upstreams/index.ts'
import { resolveReferences } from './references.ts'
import type { Sealer } from './seal.ts'

export type Wanted = {
  readonly name: string
  readonly text: string
  readonly context: readonly string[]
  /** The reference that stands for it where it was given literally: `env:NAME`. */
  readonly placeholder: string
  readonly secrets: SealPlace['secrets']
  readonly previous: SealedValue | undefined
}

/**
 * Seals what the text stands for and keeps, next to it, what a manifest may show: the reference it was given as, a
 * placeholder for a secret that was given literally, or the text itself when nothing suggests a secret.
 */
export function sealValue(sealer: Sealer, wanted: Wanted): SealedValue {
  const { text, placeholder, secrets, previous } = wanted
  const isUnset = text === `\${${placeholder}}` && !Object.hasOwn(secrets, placeholder)
  // An export writes placeholders, and applying it where nobody set them must leave what is stored alone.
  if (isUnset && previous?.text === text) return previous
  const value = resolveReferences(text, secrets)
  const shown = isShowable(wanted.name, text) ? text : `\${${placeholder}}`
  if (previous?.text === shown && opened(sealer, previous, wanted.context) === value) return previous
  return { sealed: sealer.seal(value, wanted.context), text: shown }
}

/** The reference that stands for a secret which was never given as one, by which a manifest can set it anew. */
export function placeholderOf(name: string, place: Pick<SealPlace, 'group' | 'server'>): string {
  const words = ['GATEHOUSE', 'SECRET', place.group, place.server, name]
  return `env:${words.map(word => word.toUpperCase().replace(/[^A-Z0-9]/g, '_')).join('_')}`
}

function isShowable(name: string, text: string): boolean {
  const literal = text.replace(/\$\{[^}]*\}/g, '')
  if (isCredentialValue(literal)) return false
  return literal !== text || !isCredentialName(name)
}

/** The previous value, or undefined when it cannot be opened: then setting it anew is the way out. */
function opened(sealer: Sealer, previous: SealedValue, context: readonly string[]): string | undefined {
  try {
    return sealer.open(previous.sealed, context)
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'vault.unsealable') return undefined
    throw error
  }
}
