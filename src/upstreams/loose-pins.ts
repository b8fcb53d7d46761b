/** Pins that are not stored: of servers that show more tools than are kept of any, and of tools that no database can name. */
import { type HoldReason, heldSentence } from './pin-verdict.ts'

type LoosePin = { readonly hash: string; readonly at: number; readonly reason: HoldReason | undefined }

export class LoosePins {
  readonly #most: number
  readonly #servers = new Map<string, Map<string, LoosePin>>()

  /** At most so many of one server; whatever is more is held. */
  constructor(most: number) {
    this.#most = most
  }

  held(serverId: string, name: string): string | undefined {
    const pins = this.#servers.get(serverId)
    if (pins === undefined) return undefined
    const pin = pins.get(name)
    if (pin?.reason !== undefined) return heldSentence(pin.reason, pin.at)
    return pin === undefined && pins.size >= this.#most ? tooMany : undefined
  }

  /** Notes a definition; `reason` says why it would be held as a new one. Gives whether the tool was not held and is now. */
  see(
    serverId: string,
    { name, hash, at }: { name: string; hash: string; at: number },
    reason: () => HoldReason | undefined,
  ): boolean {
    const pins = this.#servers.get(serverId) ?? new Map<string, LoosePin>()
    this.#servers.set(serverId, pins)
    const known = pins.get(name)
    if (known?.hash === hash || known?.reason !== undefined) return false
    if (known === undefined && pins.size >= this.#most) return false
    const held = known === undefined ? reason() : 'changed'
    pins.set(name, { hash, at, reason: held })
    return held !== undefined
  }

  forget(serverId: string): void {
    this.#servers.delete(serverId)
  }
}

const tooMany = 'Its server has shown more tools than the gateway remembers of any.'
