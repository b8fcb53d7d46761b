import { z } from 'zod'
import { slug } from '../foundation/slug.ts'
import { grantSubject, managerSubject } from './subject.ts'

/** What a grant gives of its group. */
export const grantSchema = z.strictObject({
  subject: grantSubject,
  servers: z
    .array(slug)
    .min(1, 'name at least one server, or leave servers out to mean all of the group')
    .max(1000)
    .optional()
    .describe('Names of servers of the group; all of them, also later ones, when left out.'),
  tools: z
    .union([
      z.literal('readOnly'),
      z
        .array(z.string().min(1).max(128))
        .min(1, 'name at least one tool, or leave tools out to mean all')
        .max(1000),
    ])
    .optional()
    .describe(
      'Names or globs of tools, or readOnly for those that are confirmed to only read; all when left out.',
    ),
})

export type GrantInput = z.infer<typeof grantSchema>

export const description = z.string().max(2000).describe('For people.')

/** A server group as the manifest has it. */
export const groupSchema = z.strictObject({
  name: slug,
  description: description.default(''),
  managers: z
    .array(managerSubject)
    .max(1000)
    .default([])
    .describe('Who registers servers in the group and gives access to it, besides admins.'),
  access: z
    .array(grantSchema)
    .max(10_000)
    .default([])
    .describe('Who may use its servers. No grant, no access.'),
})

export type GroupInput = z.infer<typeof groupSchema>
