/** The challenge of a server that wants a token (RFC 9110, 11.6.1; RFC 6750, 3; RFC 9728, 5.1). */

export type Challenge = {
  /** Where its protected-resource metadata are. */
  readonly metadata?: string
  /** What it wants, where it says so. */
  readonly scopes?: readonly string[]
  readonly error?: string
}

const longest = 4096
const parameter =
  /([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([A-Za-z0-9!#$%&'*+.^_`|~:/?=@-]+))/g

/** The first Bearer (or DPoP) challenge; undefined where there is none. Several headers may come joined by commas. */
export function readChallenge(header: string | null | undefined): Challenge | undefined {
  if (header === null || header === undefined || header.length > longest) return undefined
  const at = /(?:^|[\s,])(?:bearer|dpop)(?=$|[\s,])/i.exec(header)
  if (at === null) return undefined
  const found = new Map<string, string>()
  for (const [, name = '', quoted, plain] of header.slice(at.index).matchAll(parameter)) {
    const key = name.toLowerCase()
    if (!found.has(key)) found.set(key, quoted === undefined ? (plain ?? '') : quoted.replace(/\\(.)/g, '$1'))
  }
  const scope = found.get('scope')
  const [metadata, error] = [found.get('resource_metadata'), found.get('error')]
  return {
    ...(metadata !== undefined && { metadata }),
    ...(scope !== undefined && { scopes: scopesOf(scope) }),
    ...(error !== undefined && /^[\w-]{1,64}$/.test(error) && { error }),
  }
}

/** The scopes of a text that has them between spaces; anything that is no scope is left out (RFC 6749, 3.3). */
export function scopesOf(text: string): readonly string[] {
  const all = text.split(' ').filter(scope => /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/.test(scope))
  return [...new Set(all)].slice(0, 100)
}
