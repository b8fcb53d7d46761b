import { hash } from 'node:crypto'
import { GatewayError } from '../foundation/errors.ts'
import { canonical, scanBounds } from '../foundation/json.ts'

/** Why others may read a definition in another way than the gateway does, such as a key that stands twice; undefined where nobody may. */
export function oddityOf(text: string): string | undefined {
  try {
    scanBounds(Buffer.from(text))
    return undefined
  } catch (error) {
    if (error instanceof GatewayError) return error.message
    throw error
  }
}

/** SHA-256 of its RFC 8785 form, hex. What can be read in several ways has none, and is known by its bytes. */
export function definitionHash(text: string, value: unknown): string {
  return hash('sha256', oddityOf(text) === undefined ? canonical(value) : `odd ${text}`)
}
