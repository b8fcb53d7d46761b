/** What the author of a virtual server writes: parts of other servers, under the names and with the arguments that its users see. */
import { z } from 'zod'
import { grantSchema } from '../access/index.ts'
import { slug } from '../foundation/slug.ts'

const text = z.string().min(1).max(4000)
/** What clients of every vendor accept as the name of a tool. */
export const visibleName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'use 1 to 64 letters, digits, underscores, dots and hyphens')

export const argumentRule = z
  .strictObject({
    description: text.optional().describe('Instead of what the server says of the argument.'),
    value: z.json().optional().describe('Always this; the argument is no longer in the schema.'),
    hidden: z
      .boolean()
      .optional()
      .describe('true: not in the schema. With value: false shows the one value that it may have.'),
    default: z.json().optional().describe('Sent when the caller leaves the argument out.'),
    enum: z.array(z.json()).min(1).max(256).optional().describe('The only values that it may have.'),
    minimum: z.number().optional(),
    maximum: z.number().optional(),
  })
  .refine(rule => rule.value === undefined || rule.default === undefined, 'give value or default, not both')
  .describe('What becomes of one argument.')

const argumentName = z.string().min(1).max(128)

const toolChoice = z.union([
  z.string().min(1).max(256).describe('A name or glob.'),
  z.strictObject({
    name: z.string().min(1).max(256).describe('The name that the server gives it.'),
    as: visibleName.optional().describe('The name that callers see.'),
    title: text.optional(),
    description: text.optional(),
    arguments: z.record(argumentName, argumentRule).optional(),
  }),
])

const promptChoice = z.union([
  z.string().min(1).max(256).describe('A name or glob.'),
  z.strictObject({
    name: z.string().min(1).max(256),
    as: visibleName.optional(),
    title: text.optional(),
    description: text.optional(),
  }),
])

const sourceSchema = z
  .strictObject({
    server: z
      .string()
      .regex(/^[a-z0-9-]{1,63}\/[a-z0-9-]{1,63}$/, 'write group/server')
      .describe('group/server.'),
    tools: z
      .union([z.enum(['all', 'readOnly']), z.array(toolChoice).max(1000)])
      .optional()
      .describe(
        'all, readOnly for those confirmed to only read, or a list of names, globs and changed tools.',
      ),
    resources: z
      .union([z.literal('all'), z.array(z.string().min(1).max(2048)).max(1000)])
      .optional()
      .describe('all, or URIs, URI templates and globs of them.'),
    prompts: z.union([z.literal('all'), z.array(promptChoice).max(1000)]).optional(),
  })
  .refine(({ tools }) => isOnce(tools), { path: ['tools'], message: 'change every tool once' })
  .refine(({ prompts }) => isOnce(prompts), { path: ['prompts'], message: 'change every prompt once' })
  .describe(
    'A server and what is taken of it. One that names nothing gives everything; one that names something gives that and no more.',
  )

function isOnce(choices: 'all' | 'readOnly' | readonly (ToolChoice | PromptChoice)[] | undefined): boolean {
  const changed = (Array.isArray(choices) ? choices : []).flatMap((choice: ToolChoice | PromptChoice) =>
    typeof choice === 'string' ? [] : [choice.name],
  )
  return new Set(changed).size === changed.length
}

const accessSchema = grantSchema.omit({ servers: true })

export const definitionSchema = z.strictObject({
  instructions: z.string().max(8000).optional().describe('What a model is told about the whole server.'),
  sources: z
    .array(sourceSchema)
    .min(1, 'name at least one source')
    .max(64)
    .refine(
      sources => new Set(sources.map(({ server }) => server)).size === sources.length,
      'name every source once',
    ),
})

export const virtualServerSchema = definitionSchema.extend({
  group: slug.describe('The server group it is in.'),
  name: slug.describe('Its name in the group, part of its URL.'),
  description: z.string().max(2000).default('').describe('For people.'),
  access: z
    .array(accessSchema)
    .max(1000)
    .default([])
    .describe(
      "Who may use it, besides those to whom the group's own grants give it. No grant on the sources is needed.",
    ),
})

/** What is left out besides the definition stays as it is; what is given holds at once, published or not. */
export const draftSchema = virtualServerSchema.extend({
  description: z
    .string()
    .max(2000)
    .optional()
    .describe('For people. Left out, it stays as it is; given, it holds at once.'),
  access: z
    .array(accessSchema)
    .max(1000)
    .optional()
    .describe(
      "Who may use it, besides those to whom the group's own grants give it. Left out, it stays as it is; given, it holds at once.",
    ),
})

export type Definition = z.infer<typeof definitionSchema>
export type Source = z.infer<typeof sourceSchema>
export type ToolChoice = z.infer<typeof toolChoice>
export type PromptChoice = z.infer<typeof promptChoice>
export type ArgumentRule = z.infer<typeof argumentRule>
export type ArgumentRules = Readonly<Record<string, ArgumentRule>>
export type VirtualAccess = z.infer<typeof accessSchema>
export type VirtualServerInput = z.infer<typeof virtualServerSchema>
export type DraftInput = z.infer<typeof draftSchema>
