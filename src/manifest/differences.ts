import { canonical, isObject } from '../foundation/json.ts'
import type { SealedValues, Upstream } from '../upstreams/index.ts'

/** One value that changes. Secrets show as `[secret]`. */
export type Difference = { readonly path: string; readonly from?: unknown; readonly to?: unknown }

/** Where two plain values differ: objects are compared key by key, everything else as a whole. */
export function differences(from: unknown, to: unknown, path = ''): Difference[] {
  if (from !== undefined && to !== undefined && canonical(from) === canonical(to)) return []
  if (!isObject(from) || !isObject(to)) return from === to ? [] : [difference(path, from, to)]
  const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])].sort()
  return keys.flatMap(key => differences(from[key], to[key], path === '' ? key : `${path}.${key}`))
}

function difference(path: string, from: unknown, to: unknown): Difference {
  return { path, ...(from !== undefined && { from }), ...(to !== undefined && { to }) }
}

/** Secrets that change behind the same reference. */
export function changedSecrets(from: Upstream, to: Upstream): Difference[] {
  return [
    ...resealed('auth', from.auth.secrets, to.auth.secrets),
    ...resealed('transport.env', environmentOf(from), environmentOf(to)),
  ]
}

/** The same of one secret. */
export function changedSecret(path: string, from: Sealed | undefined, to: Sealed | undefined): Difference[] {
  if (from === undefined || to === undefined || from.text !== to.text || from.sealed === to.sealed) return []
  return [{ path, from: '[secret]', to: '[secret]' }]
}

type Sealed = { readonly sealed: string; readonly text: string }

function resealed(path: string, from: SealedValues, to: SealedValues): Difference[] {
  return Object.keys(to)
    .filter(name => from[name]?.text === to[name]?.text && from[name]?.sealed !== to[name]?.sealed)
    .sort()
    .map(name => ({ path: `${path}.${name}`, from: '[secret]', to: '[secret]' }))
}

function environmentOf({ transport }: Upstream): SealedValues {
  return transport.kind === 'stdio' ? transport.env : {}
}
