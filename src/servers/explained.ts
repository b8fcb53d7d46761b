/** What an answer to "why?" is made of. */
import { z } from 'zod'
import type { Decision, GrantInput } from '../access/index.ts'

export const stepNames = [
  'subject',
  'server',
  'thing',
  'tool policy',
  'grants',
  'policies',
  'source policies',
  'pin',
  'arguments',
] as const

const step = z.object({
  step: z.enum(stepNames),
  outcome: z
    .enum(['passes', 'stops', 'depends', 'tells'])
    .describe('depends: on what the question does not say. tells: it decides nothing.'),
  says: z.string(),
})

const change = z.object({
  says: z.string(),
  command: z.string().optional(),
  server: z.string().optional().describe('The server whose tool policy it is about.'),
  tools: z
    .unknown()
    .optional()
    .describe('What its tool policy has to be: tools of the server in the manifest.'),
})

const grant = z.object({
  id: z.string(),
  group: z.string(),
  subject: z.string(),
  servers: z.array(z.string()).optional(),
  tools: z.union([z.literal('readOnly'), z.array(z.string())]).optional(),
  virtualServer: z.string().optional().describe('It is the own grant of this virtual server.'),
})

export const explanationSchema = z.object({
  allowed: z.boolean(),
  depends: z
    .boolean()
    .describe('It is allowed as far as the question says; a policy depends on what it does not say.'),
  says: z.string().describe('The answer in one sentence.'),
  subject: z.string(),
  server: z.string(),
  thing: z
    .object({ kind: z.enum(['tool', 'resource', 'prompt']), name: z.string() })
    .nullable()
    .describe('null: the question is about the server as a whole.'),
  decision: z
    .object({
      allowed: z.boolean(),
      reason: z.string(),
      policies: z.array(z.string()).optional(),
      shadow: z.array(z.string()).optional(),
    })
    .describe('As the audit would have it.'),
  error: z.string().nullable().describe('The code with which a call would be refused.'),
  grant: grant.nullable().describe('The grant that gives it.'),
  source: z
    .object({ server: z.string(), name: z.string() })
    .nullable()
    .describe('What a virtual server has it from.'),
  steps: z.array(step).describe('In the order in which the gateway takes them.'),
  wouldChange: z
    .array(z.object({ all: z.array(change) }))
    .describe('What would make it allowed: any one of these, each with everything it takes.'),
})

export type Explained = z.infer<typeof explanationSchema>
export type Step = z.infer<typeof step>
export type Change = z.infer<typeof change>
export type Thing = NonNullable<Explained['thing']>

export const everythingPlace = '/mcp'

export function grantText({ subject, servers, tools }: GrantInput): string {
  const where = servers === undefined ? 'all servers' : `the servers ${few(servers)}`
  const what =
    tools === undefined ? 'everything' : tools === 'readOnly' ? 'what only reads' : `the tools ${few(tools)}`
  return `to ${subject} for ${what} of ${where}`
}

/** Names for a sentence, however many there are. */
export function few(names: readonly string[]): string {
  const unlike = [...new Set(names)]
  const shown = unlike.slice(0, 10).map(shortly)
  return unlike.length > shown.length
    ? `${shown.join(', ')} and ${unlike.length - shown.length} more`
    : shown.join(', ')
}

export function shortly(name: string): string {
  return name.length > 100 ? `${name.slice(0, 99)}…` : name
}

export function shownDecision({ allowed, reason, policies, shadow }: Decision): Explained['decision'] {
  return {
    allowed,
    reason,
    ...(policies && { policies: [...policies] }),
    ...(shadow && { shadow: [...shadow] }),
  }
}
