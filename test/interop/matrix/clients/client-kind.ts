/** One client of the matrix: what it is, how it is driven, and how it visits the servers. */
import type { FeatureKind } from '../features.ts'
import type { ServerKind } from '../servers.ts'

/** What a client gets to know: the servers as the gateway shows them, and its own token. */
export type Plan = {
  readonly visits: readonly { readonly server: ServerKind; readonly url: string }[]
  readonly trials: readonly { readonly trial: FeatureKind; readonly url: string }[]
  readonly token: string
  /** A home of its own, empty. */
  readonly home: string
}

/** What the client says it met; whether it is true, the gateway's audit tells. */
export type Visited = {
  readonly server: string
  readonly connected: boolean
  readonly tools: readonly string[] | null
  readonly text: string | null
  readonly error: string | null
}

export type Tried = {
  readonly server: string
  readonly feature: string
  readonly offered: boolean
  readonly text: string | null
  /** How often it was told progress, or was asked. */
  readonly seen: number
  readonly error: string | null
}

export type Told = { readonly visited: readonly Visited[]; readonly tried: readonly Tried[] }

export type ClientKind = {
  readonly name: string
  readonly title: string
  /** Libraries run with every test; agents, which are large, with `npm run interop` alone. */
  readonly kind: 'library' | 'agent'
  /** One sentence: how the run drives it. */
  readonly how: string
  /** Brings it along on first use. */
  install(): Promise<void>
  version(): string
  visit(plan: Plan): Promise<Told>
}
