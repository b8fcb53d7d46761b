/** May they? Server groups, their managers and grants, and the one decision every path obeys. */
export { type Access, type AccessParts, openAccess, type RemovalGuard } from './access.ts'
export type { Action } from './actions.ts'
export {
  type Circumstances,
  covers,
  type Decision,
  type Grant,
  type GrantVerdict,
  policyAllows,
  type Target,
  type TargetTool,
  type ToolPolicy,
  type ToolScope,
  weigh,
} from './decide.ts'
export type { Draft, Supposition } from './draft.ts'
export type { Explanation } from './explanation.ts'
export { normalGroup } from './manifest.ts'
export type { Weighed } from './policies/judge.ts'
export type { Offer, OfferedTool, Offers } from './policies/offers.ts'
export type { KnownNames } from './policies/open.ts'
export { mostPolicies, type PolicyInput, policySchema } from './policies/policy.ts'
export { type GrantInput, type GroupInput, grantSchema, groupSchema } from './scope.ts'
export { managesAll, seesAll } from './snapshot.ts'
export type { Group } from './table.ts'
export { type UsageParts, usageRoutes } from './usage.ts'
