/** The link that a caller gets who has to connect first: it says what is needed, to nobody but the gateway. */
import { GatewayError } from '../../foundation/errors.ts'
import type { Handles } from '../../foundation/handles.ts'
import type { Asker, Upstream } from '../../upstreams/index.ts'

export type Link = {
  /** Whose account it is about: nobody else may open it. */
  readonly personId: string
  readonly scopes: readonly string[] | undefined
  /** The OAuth client that called. */
  readonly client: string | undefined
}

export type Links = {
  /** The error with the link in it. */
  withLink(error: unknown, upstream: Upstream, asker: Asker): unknown
  open(upstream: Upstream, handle: string): Link | undefined
}

/** A link that is older still leads to the page, which then asks for what the server usually wants. */
const goodSeconds = 86_400

export function openLinks({ handles, origin }: { handles: Handles; origin(): string }): Links {
  return {
    withLink(error, upstream, asker) {
      if (!(error instanceof GatewayError) || error.code !== 'vault.connect_needed') return error
      const payload = { person: asker.id, scopes: error.data?.scopes, client: asker.client?.name }
      const handle = handles.seal('connect', [upstream.id], payload, goodSeconds)
      const url = `${origin()}/connect/${upstream.group}/${upstream.name}?for=${handle}`
      return new GatewayError(error.code, {
        why: error.why,
        fix:
          asker.kind === 'account'
            ? `The user who answers for this virtual account opens ${url} in a browser and connects it; then make the call again.`
            : `Open ${url} in a browser, connect your account there, and make the call again.`,
        data: { ...error.data, url },
        noEffect: true,
      })
    },
    open(upstream, handle) {
      const payload = handles.open('connect', [upstream.id], handle)
      if (payload === undefined || typeof payload.person !== 'string') return undefined
      const { person, scopes, client } = payload
      return {
        personId: person,
        scopes: Array.isArray(scopes) ? scopes.filter(scope => typeof scope === 'string') : undefined,
        client: typeof client === 'string' ? client : undefined,
      }
    },
  }
}
