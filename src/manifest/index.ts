/** The instance as one text: applied as a whole, exported as a whole. */
import type { Route } from '../foundation/route.ts'
import { type Application, type Applied, type ApplyParts, apply } from './apply.ts'
import { exportManifest } from './export.ts'
import { manifestRoutes } from './routes.ts'

export type { Application, Applied, ApplyParts } from './apply.ts'
export type { Difference } from './differences.ts'
export { readVirtualServer, writeVirtualServer } from './one-virtual-server.ts'
export type { PlanEntry } from './plan.ts'
export type { Problem } from './problem.ts'
export { manifestJsonSchema } from './schema.ts'
export type { SimulateParts } from './simulate.ts'
export { simulateRoutes } from './simulate-routes.ts'

export type ManifestPlane = {
  /** Throws `manifest.invalid` with every problem in `data.problems`. */
  apply(application: Application): Promise<Applied>
  /** YAML that changes nothing when it is applied. Holds no secrets. */
  export(): Promise<string>
  readonly routes: readonly Route[]
}

export function openManifest(parts: ApplyParts): ManifestPlane {
  return {
    apply: application => apply(parts, application),
    export: () => exportManifest(parts, parts.database.kysely),
    routes: manifestRoutes(parts),
  }
}
