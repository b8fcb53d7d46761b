import type { Target } from '../decide.ts'

/** A tool as policies see it before anybody calls it. */
export type OfferedTool = { readonly name: string; readonly inputSchema: unknown }

export type Offer = {
  readonly group: string
  readonly server: string
  /** Undefined when the server was never read, so that nobody knows. */
  readonly tools: readonly OfferedTool[] | undefined
}

/** What servers there are and what their tools take. Rooms to the right know. */
export type Offers = {
  servers(): Iterable<Offer>
  /** The input schema of one tool as its server wrote it; undefined where it is not known. */
  inputSchema(target: Target): unknown
}

export const noOffers: Offers = { servers: () => [], inputSchema: () => undefined }

/** Everybody and everything a policy may name. */
export type Names = {
  readonly teams: ReadonlySet<string>
  readonly accounts: ReadonlySet<string>
  readonly groups: ReadonlySet<string>
  readonly offers: readonly Offer[]
}
