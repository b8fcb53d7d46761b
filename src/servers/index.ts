/** What clients see behind an MCP address: servers as they are, virtual servers, and everything a caller may use. */

export { arrangePatches } from './arguments.ts'
export type { Composition, Home, Item, Missing } from './composition.ts'
export { type Definition, type DraftInput, draftSchema, virtualServerSchema } from './definition.ts'
export { mayUseItem } from './everything.ts'
export { explainRoutes } from './explain-routes.ts'
export { aimedAt, judgeCall, judgeItem, mayUse, type Refusal, targetOf } from './judge-call.ts'
export { keyed } from './keyed.ts'
export { type DeclaredVirtual, declared, type VirtualVerbs } from './manifest.ts'
export {
  describeResult,
  estimateTokens,
  type MetaToolName,
  type MetaToolResult,
  metaTools,
  searchLimit,
  searchResult,
} from './meta-tools.ts'
export type { PublishProblem } from './refusals.ts'
export { openSearch, type Search, type SearchedTool } from './search.ts'
export { type Addressed, type ComposedServer, everythingId, isComposed, type Served } from './served.ts'
export { openServers, type Servers, type ServersParts } from './servers.ts'
export { missingScopes, whyScopes } from './token-scope.ts'
export { type Asked, readWorld, type World } from './world.ts'
