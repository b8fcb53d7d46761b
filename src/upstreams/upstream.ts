import { z } from 'zod'
import type { JsonObject } from '../foundation/json.ts'
import { isNetwork } from '../foundation/networks.ts'

export { slug } from '../foundation/slug.ts'

const network = z.string().max(253).refine(isNetwork, {
  message: 'write a host (db.corp.example), an address (10.0.0.7) or a range (10.1.0.0/16)',
})

const privateNetwork = z
  .union([z.boolean(), z.array(network).min(1).max(64)])
  .default(false)
  .describe(
    'Let this server be at a loopback or private address: at any (true), or only at these hosts, addresses and ranges. Off: only public addresses are reached.',
  )

const clientAuthOverride = z
  .boolean()
  .optional()
  .describe(
    'May clients bring authentication of their own for this server (x-gatehouse-mcp-headers)? Yes unless told.',
  )

const streamableHttp = z
  .strictObject({
    kind: z.literal('streamable-http'),
    url: z.url({ protocol: /^https?$/ }).describe('The MCP endpoint, as its own clients would use it.'),
    allowPrivateNetwork: privateNetwork,
    allowClientAuthOverride: clientAuthOverride,
  })
  .describe('A server that speaks streamable HTTP, of either era.')

const sse = z
  .strictObject({
    kind: z.literal('sse'),
    url: z
      .url({ protocol: /^https?$/ })
      .describe('The event stream of an HTTP+SSE server (revision 2024-11-05).'),
    allowPrivateNetwork: privateNetwork,
    allowClientAuthOverride: clientAuthOverride,
  })
  .describe('A server that speaks HTTP+SSE, the transport before streamable HTTP.')

const stdio = z
  .strictObject({
    kind: z.literal('stdio'),
    command: z.string().min(1).max(1024).describe('The program, started without a shell.'),
    args: z.array(z.string().max(8192)).max(256).default([]),
    env: z.record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), z.string().max(32_768)).default({}),
    instance: z
      .enum(['shared', 'per-user'])
      .default('shared')
      .describe(
        'shared: one process for everybody, which cannot ask anybody back. per-user: one process for each caller.',
      ),
    idleSeconds: z
      .int()
      .min(1)
      .max(86_400)
      .default(600)
      .describe('Stop the process after this long without a session or call.'),
  })
  .describe('A server run by the gateway as a child process. Only admins may add one.')

export const transportSchema = z.discriminatedUnion('kind', [streamableHttp, sse, stdio])
export type Transport = z.infer<typeof transportSchema>
export type StdioTransport = Extract<Transport, { kind: 'stdio' }>
export type HttpTransport = Exclude<Transport, { kind: 'stdio' }>

const toolNames = z.array(z.string().min(1).max(128))

export const toolPolicySchema = z
  .strictObject({
    default: z.enum(['allow', 'deny']).default('allow'),
    allow: toolNames.default([]),
    deny: toolNames.default([]),
    newTools: z
      .enum(['allow', 'hold'])
      .optional()
      .describe(
        'A tool that is new on the server: allow (unless told), or hold until a manager approves it.',
      ),
    changes: z
      .enum(['accept', 'additive', 'hold'])
      .optional()
      .describe(
        'A definition that is not the approved one: accept it, accept what only adds (unless told), or hold the tool until a manager approves it.',
      ),
    annotations: z
      .enum(['confirmed', 'claimed'])
      .optional()
      .describe(
        'Which tools count as read-only and idempotent: those confirmed here (unless told), or also those that say so themselves.',
      ),
    readOnly: toolNames
      .optional()
      .describe(
        'Tools a manager confirms to change nothing: grants of readOnly give them, and a call that broke is sent again.',
      ),
    idempotent: toolNames
      .optional()
      .describe(
        'Tools a manager confirms to do the same whether called once or twice: a call that broke is sent again.',
      ),
  })
  .describe('The server own rule over its tools, by name or glob; it binds everybody. deny wins.')

/** The session era is every revision with `initialize` (to 2025-11-25); the stateless era begins with 2026-07-28. */
export type Era = 'session' | 'stateless'

/** A value sealed by the vault, next to the text that stands for it in a manifest: a reference, a placeholder, or itself when it is no secret. */
export type SealedValue = { readonly sealed: string; readonly text: string }

export type SealedValues = Readonly<Record<string, SealedValue>>

/** How the gateway authenticates to a server, as stored: only the vault opens its secrets, and reads its settings. */
export type StoredAuth = {
  readonly kind: string
  readonly settings: JsonObject
  /** By what they are in the kind: `clientSecret`, `headers.Authorization`. */
  readonly secrets: SealedValues
}

/** Of a server that asks for nothing. */
export const noAuth: StoredAuth = { kind: 'none', settings: {}, secrets: {} }

/** A transport as stored: the environment of a process may hold secrets, which the vault opens when one is started. */
export type StoredTransport = HttpTransport | (Omit<StdioTransport, 'env'> & { readonly env: SealedValues })

export type ToolPolicy = z.infer<typeof toolPolicySchema>

/** A registered MCP server, as the rooms pass it around. Frozen by convention: a change makes a new one with a higher version. */
export type Upstream = {
  readonly id: string
  readonly group: string
  readonly name: string
  readonly description: string
  readonly transport: StoredTransport
  readonly auth: StoredAuth
  readonly policy: ToolPolicy
  /** Raised by every change; part of every connection's key. */
  readonly version: number
}
