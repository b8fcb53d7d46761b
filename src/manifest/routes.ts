import { z } from 'zod'
import { type Route, route } from '../foundation/route.ts'
import { type ApplyParts, apply } from './apply.ts'
import { exportManifest } from './export.ts'

const entry = z.object({
  action: z.enum(['create', 'update', 'delete', 'keep']),
  kind: z.enum(['user', 'team', 'virtualAccount', 'group', 'server', 'policy']),
  name: z.string(),
  changes: z.array(z.object({ path: z.string(), from: z.unknown().optional(), to: z.unknown().optional() })),
})

const body = z.strictObject({
  manifest: z.string().describe('The manifest as YAML, at most 1 MiB.'),
  secrets: z
    .record(z.string().regex(/^(?:env:|file:)/, 'expected env:NAME or file:/path'), z.string().max(65_536))
    .default({})
    .describe('Values of the references in the manifest, by env:NAME and file:/path.'),
  dryRun: z.boolean().default(false).describe('Only say what would be done.'),
  prune: z
    .boolean()
    .default(false)
    .describe(
      'Also remove what the manifest does not name, in the sections it has. Whoever applies stays, and so do all admins when it names none.',
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
      body,
      answer: z.object({ plan: z.array(entry), applied: z.boolean() }),
      async act({ caller, requestId, body: { manifest: text, ...options } }) {
        const { plan, applied } = await apply(parts, { caller, requestId, text, ...options })
        return { plan: plan.map(each => ({ ...each, changes: [...each.changes] })), applied }
      },
    }),
  ]
}
