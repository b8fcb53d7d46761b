import { fail } from '../foundation/errors.ts'
import type { Visit } from './visit.ts'

/** Something at an address. */
export type Place = {
  readonly method: 'GET' | 'POST'
  /** With `{name}` parameters. */
  readonly path: string
  act(visit: Visit, params: Readonly<Record<string, string>>): Promise<void> | void
}

type Found = { readonly place: Place; readonly params: Readonly<Record<string, string>> }

/** The first place of this address. Throws `http.method_not_allowed` where there are places of other methods only. */
export function placeOf(places: readonly Place[], method: string, path: string): Found | undefined {
  const here = places.flatMap(place => {
    const params = paramsOf(place.path, path)
    return params === undefined ? [] : [{ place, params }]
  })
  const found = here.find(({ place }) => place.method === method)
  if (found === undefined && here.length > 0)
    fail('http.method_not_allowed', { data: { allow: [...new Set(here.map(({ place }) => place.method))] } })
  return found
}

function paramsOf(pattern: string, path: string): Record<string, string> | undefined {
  const words = pattern.split('/')
  const given = path.split('/')
  if (words.length !== given.length) return undefined
  const params: Record<string, string> = {}
  for (const [at, word] of words.entries()) {
    const value = given[at] ?? ''
    const name = /^\{(\w+)\}$/.exec(word)?.[1]
    if (name === undefined ? word !== value : !/^[\w.~-]{1,1400}$/.test(value)) return undefined
    if (name !== undefined) params[name] = value
  }
  return params
}
