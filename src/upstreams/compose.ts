/** From what people write about a server to what is stored, and back. */
import { fail } from '../foundation/errors.ts'
import { newId } from '../foundation/id.ts'
import { canonical } from '../foundation/json.ts'
import { mapValues } from '../foundation/map-values.ts'
import { checkCommand } from './command-policy.ts'
import type { Sealing, SealPlace } from './sealing.ts'
import type { StoredTransport, ToolPolicy, Transport, Upstream } from './upstream.ts'
import { checkUrl } from './url-policy.ts'

/** A server as people write it, in the API and in a manifest. Secrets in it are references or, through the API, literal. */
export type ServerInput = {
  readonly group: string
  readonly name: string
  readonly description: string
  readonly transport: Transport
  readonly auth: unknown
  readonly tools: ToolPolicy
}

export type ComposeParts = {
  readonly sealing: Sealing
  /** The PATH on which bare command names are looked up. */
  readonly searchPath: string
}

/** What a change of a server may name; what it leaves out stays. */
export type ServerChanges = {
  readonly [Key in Exclude<keyof ServerInput, 'group' | 'name'>]?: ServerInput[Key] | undefined
}

type Composing = {
  readonly input: Pick<ServerInput, 'group' | 'name'> & ServerChanges
  readonly secrets: SealPlace['secrets']
  readonly previous: Upstream | undefined
}

/**
 * The server that follows from the input: the previous one itself when nothing changes, otherwise one with a higher
 * version. Throws `upstream.command_refused`, `upstream.address_refused` and what sealing throws.
 */
export function compose(parts: ComposeParts, { input, secrets, previous }: Composing): Upstream {
  const { group, name } = input
  const id = previous?.id ?? newId()
  const place = { group, server: name, serverId: id, secrets }
  const transport =
    input.transport === undefined
      ? present(previous).transport
      : sealTransport(parts, input.transport, place, previous?.transport)
  const auth =
    input.auth === undefined
      ? present(previous).auth
      : // Secrets given for one site are not carried over to another.
        parts.sealing.sealAuth(
          input.auth,
          { ...place, transport: transport.kind, isOwnProcess: isOwnProcess(transport) },
          isSameSite(previous?.transport, transport) ? previous?.auth : undefined,
        )
  const description = input.description ?? present(previous).description
  const next = {
    id,
    group,
    name,
    description,
    transport,
    auth,
    policy: input.tools ?? present(previous).policy,
  }
  if (previous !== undefined && canonical({ ...previous, version: 0 }) === canonical({ ...next, version: 0 }))
    return previous
  return { ...next, version: (previous?.version ?? 0) + 1 }
}

function present(previous: Upstream | undefined): Upstream {
  return previous ?? fail('http.bad_request', { why: 'A new server needs all of its parts.' })
}

function sealTransport(
  { sealing, searchPath }: ComposeParts,
  transport: Transport,
  place: SealPlace,
  previous: StoredTransport | undefined,
): StoredTransport {
  if (transport.kind !== 'stdio') {
    checkUrl(transport.url)
    return transport
  }
  checkCommand(transport, searchPath)
  const before = previous?.kind === 'stdio' ? previous.env : undefined
  return { ...transport, env: sealing.sealEnvironment(transport.env, place, before) }
}

function isOwnProcess(transport: StoredTransport): boolean {
  return transport.kind === 'stdio' && transport.instance === 'per-user'
}

/** Do both transports lead to the same origin, so that credentials for one may go to the other? */
export function isSameSite(a: { kind: string; url?: string } | undefined, b: StoredTransport): boolean {
  if (a?.url === undefined || b.kind === 'stdio') return false
  return new URL(a.url).origin === new URL(b.url).origin
}

/** The server as people would write it: references, placeholders and plain texts, never a secret. */
export function asInput(
  sealing: Sealing,
  { group, name, description, transport, auth, policy }: Upstream,
): ServerInput {
  return {
    group,
    name,
    description,
    transport: openTransport(transport),
    auth: sealing.showAuth(auth),
    tools: policy,
  }
}

function openTransport(transport: StoredTransport): Transport {
  if (transport.kind !== 'stdio') return transport
  return { ...transport, env: mapValues(transport.env, value => value.text) }
}
