/** The MCP servers behind the gateway: the register, what they offer, and the live ways to them. */
export type { Catalogue, CatalogueParts } from './catalogue.ts'
export { catalogueRoutes, type UsableTool } from './catalogue-routes.ts'
export type { Collected } from './collect.ts'
export { environmentObjection } from './command-policy.ts'
export type { ServerInput } from './compose.ts'
export { type ConnectionParts, Connections, type Opening } from './connections.ts'
export { type CrossingParts, type Crossings, openCrossings } from './crossing/crossings.ts'
export { mirroredHeaders } from './crossing/session-over-stateless-headers.ts'
export { Listening } from './crossing/session-over-stateless-listen.ts'
export { type DefinitionChange, definitionChange, diffDefinitions } from './definition-diff.ts'
export { definitionHash } from './definition-hash.ts'
export {
  type Asker,
  type Credentials,
  type Equipped,
  gatewayItself,
  markEquipped,
  type OwnCredentials,
  type Refusal,
  type Sign,
  type Signable,
} from './equipped.ts'
export type { Outgoing, SessionLink, StatelessLink, Unsolicited } from './link.ts'
export { type ListWatch, openListWatch, type Watching } from './list-watch.ts'
export { errorCode, nextUpstreamId, RefusedRequest } from './message.ts'
export type { MirroredArgument } from './mirrored-arguments.ts'
export { offersOf } from './offers.ts'
export { openCatalogue } from './open-catalogue.ts'
export { type Probe, probe } from './probe.ts'
export type { CatalogueItem, ItemKind } from './read-catalogue.ts'
export { type ManifestVerbs, openRegister, type Register, type RegisterParts } from './register.ts'
export { anew, nextTry, type Tries } from './repeat.ts'
export { reviewRoutes } from './review-routes.ts'
export { latestSessionVersion, metaKeys, sessionVersions, statelessVersions } from './revisions.ts'
export { serverRoutes } from './routes.ts'
export type { Sealing, SealPlace } from './sealing.ts'
export { serverInputSchema } from './server-input.ts'
export type { AnswerSummary, Flight, ResultEdits, Sink } from './sink.ts'
export { targetTool } from './target-tool.ts'
export type { ToolFacts } from './tool-facts.ts'
export {
  definitionOf,
  isOfHash,
  isPlain,
  type LockedTool,
  type LockStep,
  planLock,
  putLock,
  readLocked,
  readWaiting,
} from './tool-locks.ts'
export { takesDespite } from './tool-review.ts'
export { openProcesses, type Processes } from './transports/process.ts'
export { searchPath } from './transports/process-environment.ts'
export * from './upstream.ts'
export { whyNoTools } from './why-no-tools.ts'
