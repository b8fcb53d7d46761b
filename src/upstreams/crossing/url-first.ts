import { GatewayError } from '../../foundation/errors.ts'
import { isObject, type JsonObject } from '../../foundation/json.ts'
import type { Ask } from './asks.ts'
import type { Parked } from './parking.ts'

/** A request the server refused until its person has visited a page (2025-11-25, client/elicitation, -32042). Nothing is under way upstream meanwhile. */
export class UrlFirst implements Parked {
  readonly method: string
  readonly #asks: ReadonlyMap<string, Pick<Ask, 'method' | 'rawParams'>>

  constructor(method: string, asks: ReadonlyMap<string, Pick<Ask, 'method' | 'rawParams'>>) {
    this.method = method
    this.#asks = asks
  }

  /** Why the request may not be sent again; undefined when every page was agreed to. */
  objection({ inputResponses }: JsonObject): GatewayError | undefined {
    const responses = isObject(inputResponses) ? inputResponses : {}
    const isAccepted = (key: string) => isObject(responses[key]) && responses[key].action === 'accept'
    return [...this.#asks.keys()].every(isAccepted) ? undefined : new GatewayError('mcp.input_declined')
  }

  abandoned(): void {}
}
