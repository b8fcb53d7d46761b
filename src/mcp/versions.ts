import type { Era } from '../upstreams/index.ts'

/** Revisions with `initialize` and sessions, oldest first. */
export const sessionVersions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const

/** Revisions without sessions. */
export const statelessVersions = ['2026-07-28'] as const

export const latestSessionVersion = sessionVersions[sessionVersions.length - 1] ?? '2025-11-25'

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

export const metaKeys = {
  version: 'io.modelcontextprotocol/protocolVersion',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  client: 'io.modelcontextprotocol/clientInfo',
  subscription: 'io.modelcontextprotocol/subscriptionId',
  relatedTask: 'io.modelcontextprotocol/related-task',
} as const
