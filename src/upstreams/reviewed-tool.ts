/** One tool as a manager sees it. */
import { z } from 'zod'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { type DefinitionChange, definitionChange, diffDefinitions } from './definition-diff.ts'
import { type Finding, type Neighbours, scanDefinition } from './definition-scan.ts'
import { heldSentence } from './pin-verdict.ts'
import type { Pin } from './pins-table.ts'
import { targetTool } from './target-tool.ts'
import type { ToolPolicy } from './upstream.ts'

const time = z.number().describe('Milliseconds since 1970.')
const hash = z.string().describe('SHA-256 of the definition in RFC 8785 form.')

export const reviewedTool = z.object({
  name: z.string(),
  state: z
    .enum(['approved', 'held', 'new'])
    .describe(
      'approved: may be called. held: not until a manager approves it. new: held, and never approved.',
    ),
  isOffered: z.boolean().describe('Had the server it when the gateway last read it?'),
  hash: hash
    .optional()
    .describe('Hash of the definition that is shown: the one that waits, else the approved one.'),
  why: z.string().optional().describe('Why it is held.'),
  heldSince: time.optional(),
  heldBy: z.string().optional().describe('The manager who holds it.'),
  approved: z
    .object({
      hash,
      by: z.string().describe('Name of a person, or why it was accepted without one.'),
      at: time,
    })
    .optional(),
  findings: z.array(
    z.object({
      severity: z.enum(['high', 'low']),
      kind: z.string(),
      where: z.string(),
      sentence: z.string(),
    }),
  ),
  changes: z
    .array(definitionChange)
    .describe('What the definition that waits says differently than the approved one.'),
  claims: z
    .object({
      readOnly: z.boolean().optional(),
      destructive: z.boolean().optional(),
      idempotent: z.boolean().optional(),
      openWorld: z.boolean().optional(),
    })
    .describe('What the server says of it.'),
  counts: z
    .object({ readOnly: z.boolean(), idempotent: z.boolean() })
    .describe('What holds of it: confirmed, or claimed where the tool policy lets claims count.'),
  definition: z.unknown().optional().describe('As the server wrote it.'),
})

export type ReviewedTool = z.infer<typeof reviewedTool>

export function reviewTool(
  { name, approved, held }: Pin,
  about: { readonly policy: ToolPolicy; readonly neighbours: Neighbours; readonly isOffered: boolean },
): ReviewedTool {
  const shown = held?.waiting ?? approved
  const definition = shown && parsed(shown.text)
  const claims = claimsOf(definition)
  const facts = { readOnly: claims.readOnly === true, idempotent: claims.idempotent === true, mirrored: [] }
  const { readOnly, idempotent = false } = targetTool(about, name, facts)
  return {
    name,
    state: held === undefined ? 'approved' : approved === undefined ? 'new' : 'held',
    isOffered: about.isOffered,
    ...(shown && { hash: shown.hash }),
    ...(held && { why: heldSentence(held.reason, held.at), heldSince: held.at }),
    ...(held?.by !== undefined && { heldBy: held.by }),
    ...(approved && { approved: { hash: approved.hash, by: approved.by, at: approved.at } }),
    findings: shown ? findings(name, shown.text, about.neighbours) : [],
    changes: approved && held?.waiting ? changes(approved.text, held.waiting.text) : [],
    claims,
    counts: { readOnly, idempotent },
    ...(definition && { definition }),
  }
}

function findings(name: string, text: string, neighbours: Neighbours): Finding[] {
  return scanDefinition({ name, text, definition: parsed(text) }, neighbours)
}

function changes(before: string, after: string): DefinitionChange[] {
  return diffDefinitions(parsed(before), parsed(after))
}

function claimsOf(definition: JsonObject | undefined): ReviewedTool['claims'] {
  const annotations = definition && isObject(definition.annotations) ? definition.annotations : {}
  const hints = {
    readOnly: 'readOnlyHint',
    destructive: 'destructiveHint',
    idempotent: 'idempotentHint',
    openWorld: 'openWorldHint',
  }
  const said = Object.entries(hints).flatMap(([claim, hint]) => {
    const value = annotations[hint]
    return typeof value === 'boolean' ? [[claim, value] as const] : []
  })
  return Object.fromEntries(said)
}

function parsed(text: string): JsonObject {
  const value: unknown = JSON.parse(text)
  return isObject(value) ? value : {}
}
