/** The revisions of the protocol this gateway speaks, and the names the protocol keeps for itself. */

/** Revisions with `initialize` and sessions, oldest first. */
export const sessionVersions = ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25'] as const

/** Revisions without sessions. */
export const statelessVersions = ['2026-07-28'] as const

export const latestSessionVersion = sessionVersions[sessionVersions.length - 1] ?? '2025-11-25'

export const latestStatelessVersion = statelessVersions[statelessVersions.length - 1] ?? '2026-07-28'

export const metaKeys = {
  version: 'io.modelcontextprotocol/protocolVersion',
  capabilities: 'io.modelcontextprotocol/clientCapabilities',
  client: 'io.modelcontextprotocol/clientInfo',
  server: 'io.modelcontextprotocol/serverInfo',
  subscription: 'io.modelcontextprotocol/subscriptionId',
  logLevel: 'io.modelcontextprotocol/logLevel',
  relatedTask: 'io.modelcontextprotocol/related-task',
} as const
