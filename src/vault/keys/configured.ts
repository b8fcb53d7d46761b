/** The keys that the configuration names, ready to wrap. */
import { fail } from '../../foundation/errors.ts'
import { isObject } from '../../foundation/json.ts'
import { keyProviders } from './providers/index.ts'
import type { KeyWrapper, Means } from './providers/provider.ts'

export type KeySettings = {
  /** The name of the key that new ones are wrapped by. */
  readonly key: string
  readonly keys: Readonly<Record<string, { readonly kind: string }>>
}

export type ConfiguredKey = KeyWrapper & {
  readonly name: string
  readonly kind: string
  readonly isLocal: boolean
}

/** The name of the key that is always there. */
export const masterName = 'master'

/** Throws `config.invalid`. */
export function configuredKeys(settings: KeySettings, means: Means): ReadonlyMap<string, ConfiguredKey> {
  if (Object.hasOwn(settings.keys, masterName))
    fail('config.invalid', { why: 'vault.keys.master: this is the master key, and not configured here.' })
  const all = { [masterName]: { kind: 'master' }, ...settings.keys }
  const keys = new Map(Object.entries(all).map(([name, given]) => [name, opened(name, given, means)]))
  if (!keys.has(settings.key))
    fail('config.invalid', {
      why: `vault.key is ${settings.key}, and vault.keys has no key of that name.`,
      fix: 'Add it to vault.keys, or name another.',
    })
  return keys
}

function opened(name: string, given: { readonly kind: string }, means: Means): ConfiguredKey {
  const provider = keyProviders.find(given.kind)
  if (provider === undefined || (given.kind === 'master' && name !== masterName)) {
    const kinds = keyProviders.members.map(({ kind }) => kind).filter(kind => kind !== 'master')
    return fail('config.invalid', { why: `vault.keys.${name}.kind is none of ${kinds.join(', ')}.` })
  }
  const parsed = provider.config.safeParse(given)
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) =>
      [`vault.keys.${name}`, ...path].join('.').concat(`: ${message}`),
    )
    return fail('config.invalid', { why: wrong.join('\n') })
  }
  const { kind, isLocal } = provider
  return { name, kind, isLocal, ...provider.open(parsed.data, means) }
}

/** Loads a package that is installed beside the gateway or not at all. Throws `config.invalid`. */
export async function loadPackage(name: string): Promise<unknown> {
  try {
    const loaded: unknown = await import(name)
    return loaded
  } catch (cause) {
    const isMissing = isObject(cause) && cause.code === 'ERR_MODULE_NOT_FOUND'
    return fail('config.invalid', {
      why: isMissing
        ? `The package ${name} is needed for a key in vault.keys and is not installed.`
        : `The package ${name} cannot be loaded.`,
      fix: `Install it beside Gatehouse: npm install ${name}`,
      cause,
    })
  }
}
