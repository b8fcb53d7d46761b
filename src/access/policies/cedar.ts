/** Cedar, which comes as WebAssembly: the one file that loads it, when there is a first policy and not before. */
import { createRequire } from 'node:module'
import type {
  Context,
  EntityJson,
  PolicyJson,
  StaticPolicySet,
  TypeAndId,
} from '@cedar-policy/cedar-wasm/nodejs'

export type {
  CedarValueJson,
  DetailedError,
  EntityJson,
  Expr,
  PolicyJson,
  SchemaJson,
  Type,
  TypeAndId,
  TypeOfAttribute,
} from '@cedar-policy/cedar-wasm/nodejs'

export type Cedar = typeof import('@cedar-policy/cedar-wasm/nodejs')

const require = createRequire(import.meta.url)
const entry = '@cedar-policy/cedar-wasm/nodejs'

/** A fresh instance. Its memory is its own, so what breaks one leaves the others whole. */
function newInstance(): Cedar {
  const cedar: Cedar = require(entry)
  delete require.cache[require.resolve(entry)]
  return cedar
}

let reader: Cedar | undefined
let decider: Cedar | undefined

/**
 * Works on texts of people, which can be nested deeply enough to break Cedar for good. Undefined when that happened; the
 * instance is then given up. Decisions are made by another one, which sees only what went through here.
 */
export function reading<T>(work: (cedar: Cedar) => T): T | undefined {
  reader ??= newInstance()
  try {
    return work(reader)
  } catch {
    reader = undefined
    return undefined
  }
}

export type CedarRequest = {
  readonly principal: TypeAndId
  readonly action: TypeAndId
  readonly resource: TypeAndId
  readonly context: Context
  readonly entities: EntityJson[]
}

/** Ids of the statements whose conditions are met, and of those that could not be evaluated. */
export type Matches = { readonly met: ReadonlySet<string>; readonly failed: ReadonlySet<string> }

/** Statements that are parsed once and asked often. All of them are asked as permits: what a match means is decided by us. */
export type Prepared = {
  /** Undefined when nothing at all could be evaluated. */
  match(request: CedarRequest): Matches | undefined
  /** Its place is used again by the next. */
  close(): void
}

// Cedar keeps what it parsed under a name and forgets nothing, so names are used again.
const freeNames: string[] = []
let names = 0

export function prepare(statements: ReadonlyMap<string, PolicyJson>): Prepared {
  const name = freeNames.pop() ?? `set ${names++}`
  const staticPolicies: StaticPolicySet = Object.fromEntries(
    [...statements].map(([id, json]) => [id, { ...json, effect: 'permit', annotations: {} }]),
  )
  let at: Cedar | undefined
  const ready = (): Cedar | undefined => {
    decider ??= newInstance()
    if (at === decider) return at
    const { type } = decider.preparsePolicySet(name, { staticPolicies })
    at = type === 'success' ? decider : undefined
    return at
  }
  return {
    match(request) {
      try {
        const answer = ready()?.statefulIsAuthorized({ ...request, preparsedPolicySetId: name })
        if (answer?.type !== 'success') return undefined
        const { reason, errors } = answer.response.diagnostics
        return { met: new Set(reason), failed: new Set(errors.map(error => error.policyId)) }
      } catch {
        decider = undefined
        return undefined
      }
    },
    close: () => void freeNames.push(name),
  }
}
