import { z } from 'zod'
import { slug } from '../../foundation/slug.ts'
import { description } from '../scope.ts'

export const mostPolicies = 200
const longestText = 16_384

/** Words of the routes beside policies. */
const reserved = ['schema', 'validate']

export const policyText = z
  .string()
  .max(longestText)
  .describe('One or more statements of Cedar. What @reason("...") says is told to whoever is refused.')

export const policySchema = z.strictObject({
  name: slug.refine(name => !reserved.includes(name), `use another name than ${reserved.join(' or ')}`),
  mode: z
    .enum(['enforce', 'shadow'])
    .default('enforce')
    .describe('shadow: decides nothing; the audit says what it would have changed.'),
  description: description.default(''),
  text: policyText,
})

/** A policy as people write it. */
export type PolicyInput = z.infer<typeof policySchema>

/** A policy as it is stored. */
export type Policy = PolicyInput & {
  readonly id: string
  /** Raised by every change. */
  readonly version: number
  readonly createdAt: number
  readonly updatedAt: number
}
