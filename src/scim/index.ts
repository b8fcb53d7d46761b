import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ScimParts } from './door.ts'

export type { ScimParts } from './door.ts'

export type Scim = {
  /** The path at which and below which it answers. */
  readonly at: readonly string[]
  handle(request: IncomingMessage, response: ServerResponse): void
}

/** Handles every request below `/scim/v2`. What is behind it is loaded with the first: most gateways never get one. */
export function openScim(parts: ScimParts): Scim {
  let loading: Promise<Scim['handle']> | undefined
  return {
    at: ['/scim/v2'],
    handle(request, response) {
      loading ??= import('./door.ts').then(({ openDoor }) => openDoor(parts))
      loading.then(
        handle => handle(request, response),
        error => {
          parts.log.error({ err: error }, 'SCIM could not be loaded.')
          response.writeHead(500).end()
        },
      )
    },
  }
}
