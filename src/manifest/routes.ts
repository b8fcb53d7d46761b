import { z } from 'zod'
import { type Route, route } from '../foundation/route.ts'
import { definitionChange } from '../upstreams/index.ts'
import { type ApplyParts, apply } from './apply.ts'
import { exportManifest } from './export.ts'
import { exportLock, lockOf } from './lock.ts'
import { checkLock } from './lock-check.ts'

const entry = z.object({
  action: z.enum(['create', 'update', 'delete', 'keep']),
  kind: z.enum([
    'identityProvider',
    'user',
    'team',
    'virtualAccount',
    'group',
    'server',
    'virtualServer',
    'tool',
    'policy',
  ]),
  name: z.string(),
  changes: z.array(z.object({ path: z.string(), from: z.unknown().optional(), to: z.unknown().optional() })),
})

export const secretValues = z
  .record(z.string().regex(/^(?:env:|file:)/, 'expected env:NAME or file:/path'), z.string().max(65_536))
  .default({})
  .describe('Values of the references in the manifest, by env:NAME and file:/path.')

const body = z.strictObject({
  manifest: z.string().optional().describe('The manifest as YAML, at most 1 MiB.'),
  lock: z
    .string()
    .optional()
    .describe(
      'A lockfile: of each server it names exactly the tools in it are approved, and every other is held.',
    ),
  secrets: secretValues,
  dryRun: z.boolean().default(false).describe('Only say what would be done.'),
  prune: z
    .boolean()
    .default(false)
    .describe(
      'Also remove what the manifest does not name, in the sections it has. Whoever applies stays, and so do all admins when it names none, and virtual servers that were never published.',
    ),
})

export function manifestRoutes(parts: ApplyParts): readonly Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/manifest',
      summary: 'Everything as a manifest, with references in place of secrets.',
      entry: 'auditor',
      answer: z.object({ manifest: z.string() }),
      act: async () => ({ manifest: await exportManifest(parts, parts.database.kysely) }),
    }),
    route({
      method: 'POST',
      path: '/api/v1/manifest',
      summary: 'Apply a manifest, all of it or nothing, or see what that would do.',
      entry: 'admin',
      stepUp: true,
      body: body.refine(
        ({ manifest, lock }) => manifest !== undefined || lock !== undefined,
        'send a manifest, a lock, or both',
      ),
      answer: z.object({ plan: z.array(entry), applied: z.boolean() }),
      async act({ caller, requestId, body: { manifest: text, ...options } }) {
        const { plan, applied } = await apply(parts, { caller, requestId, text, ...options })
        const shown = plan.map(({ changes, ...each }) => ({
          ...each,
          changes: changes.map(({ path, from, to }) => ({ path, from, to })),
        }))
        return { plan: shown, applied }
      },
    }),
    ...lockRoutes(parts),
  ]
}

const difference = z.object({
  server: z.string(),
  tool: z.string().optional(),
  kind: z
    .enum(['missing', 'added', 'changed', 'waiting'])
    .describe('waiting: as locked here, but its server offers another definition, which is held.'),
  sentence: z.string(),
  changes: z.array(definitionChange),
})

function lockRoutes(parts: ApplyParts): readonly Route[] {
  const { approvals, database } = parts
  return [
    route({
      method: 'GET',
      path: '/api/v1/lock',
      summary: 'The approved tools of all servers as a lockfile.',
      entry: 'auditor',
      answer: z.object({ lock: z.string() }),
      async act() {
        await approvals.saveApprovals()
        return { lock: await exportLock(parts, database.kysely) }
      },
    }),
    route({
      method: 'POST',
      path: '/api/v1/lock/check',
      summary: 'How what is approved, and what servers offer, differs from a lockfile.',
      entry: 'auditor',
      body: z.strictObject({ lock: z.string() }),
      answer: z.object({ differences: z.array(difference) }),
      async act({ body: { lock } }) {
        await approvals.saveApprovals()
        const differences = await checkLock(parts, database.kysely, lockOf(lock).lock)
        return { differences: differences.map(each => ({ ...each, changes: [...each.changes] })) }
      },
    }),
  ]
}
