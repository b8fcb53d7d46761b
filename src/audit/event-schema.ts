import { z } from 'zod'
import type { AuditEvent } from './event.ts'

export const outcomes = [
  'ok',
  'tool_error',
  'input_required',
  'denied',
  'rejected',
  'error',
  'cancelled',
] as const

const text = z.string().nullable()

/** `AuditEvent` as the management API documents it. */
export const eventSchema: z.ZodType<AuditEvent> = z
  .object({
    id: z.string(),
    at: z.int().describe('Milliseconds since 1970.'),
    kind: z.enum(['exchange', 'change', 'identity']),
    requestId: z.string(),
    who: z.object({
      id: text,
      kind: z.enum(['user', 'account', 'operator', 'nobody']),
      name: text,
      tokenId: text,
      address: text.describe('Client address.'),
      client: text.describe('What the client calls itself, unverified.'),
      oauthClient: z
        .string()
        .exactOptional()
        .describe('The client_id of the OAuth client whose token it was.'),
    }),
    action: z.string().describe('An MCP method, or room.verb for a change.'),
    target: text.describe('group/server, or user:..., team:..., group:... and so on.'),
    subject: text.describe('Tool or prompt name, or resource URI.'),
    decision: z
      .object({
        allowed: z.boolean(),
        reason: z.string(),
        policies: z.array(z.string()).optional().describe('The policies that made it.'),
        shadow: z
          .array(z.string())
          .optional()
          .describe('The policies in shadow mode that would have made it another one.'),
      })
      .nullable(),
    outcome: z.enum(outcomes),
    error: text.describe('Error code of the gateway, or the JSON-RPC code of the server.'),
    input: z
      .object({ bytes: z.int(), sha256: text, arguments: z.unknown().optional() })
      .nullable()
      .describe('Arguments by size and hash, or in full where configured.'),
    bytes: z.object({ in: z.int(), out: z.int() }),
    time: z
      .object({ total: z.number(), upstream: z.number() })
      .describe('Milliseconds; upstream is the part spent waiting for the server.'),
    era: z.enum(['session', 'stateless']).nullable(),
    detail: z.unknown().describe('For changes: what was set, without secrets.'),
    credentialSource: z
      .literal('client')
      .exactOptional()
      .describe('The client brought headers for the server; absent where it did not.'),
    clientHeaders: z.array(z.string()).exactOptional().describe('The names of these headers.'),
  })
  .meta({ id: 'AuditEvent' })
