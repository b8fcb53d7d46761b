import { type Era, sessionVersions, statelessVersions } from '../upstreams/index.ts'

export { latestSessionVersion, metaKeys, sessionVersions, statelessVersions } from '../upstreams/index.ts'

const eras = new Map<string, Era>([
  ...sessionVersions.map(version => [version, 'session'] as const),
  ...statelessVersions.map(version => [version, 'stateless'] as const),
])

/** The era of a revision this gateway speaks. */
export function eraOf(version: string): Era | undefined {
  return eras.get(version)
}

/** Does the text look like a revision of the stateless era, known or not? */
export function looksStateless(version: string): boolean {
  return /^\d{4}-\d{2}-\d{2}/.test(version) && version >= '2026-07-28'
}
