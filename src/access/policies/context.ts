/** The circumstances of a request as `context`, as far as somebody reads them. */
import type { Circumstances } from '../decide.ts'
import type { CedarType } from './argument-types.ts'
import type { CedarValueJson } from './cedar.ts'
import { cedarValue, Unheld } from './values.ts'

/** What a statement may read of it: names below `context`, and below `context.arguments`. */
export type Wanted = {
  readonly names: ReadonlySet<string> | 'all'
  readonly arguments: ReadonlySet<string> | 'all'
}

export type ContextOf = {
  readonly context: Record<string, CedarValueJson>
  /** Arguments that could not be brought to Cedar, and why. */
  readonly unheld: ReadonlyMap<string, string>
}

export function contextOf(circumstances: Circumstances, wanted: Wanted, types: CedarType): ContextOf {
  const unheld = new Map<string, string>()
  const context: Record<string, CedarValueJson> = {}
  const wants = (name: string) => wanted.names === 'all' || wanted.names.has(name)
  if (wants('arguments')) context.arguments = argumentsOf(circumstances, { wanted, types, unheld })
  const at = new Date(circumstances.at)
  if (wants('time')) context.time = circumstances.at
  if (wants('hour')) context.hour = at.getUTCHours()
  if (wants('weekday')) context.weekday = at.getUTCDay() || 7
  const address = wants('address') ? plainAddress(circumstances.address) : undefined
  if (address !== undefined) context.address = { __extn: { fn: 'ip', arg: address } }
  if (wants('protocol')) context.protocol = textOf(circumstances.protocol)
  if (wants('era')) context.era = circumstances.era ?? ''
  return { context, unheld }
}

type Conversion = { readonly wanted: Wanted; readonly types: CedarType; readonly unheld: Map<string, string> }

function argumentsOf({ arguments: given }: Circumstances, { wanted, types, unheld }: Conversion) {
  const held: Record<string, CedarValueJson> = {}
  for (const [name, value] of Object.entries(given)) {
    if (wanted.arguments !== 'all' && !wanted.arguments.has(name)) continue
    try {
      const type = types.type === 'Record' ? types.attributes.get(name) : undefined
      // As a record, so that its name is looked at like every other.
      Object.assign(
        held,
        cedarValue({ [name]: value }, type && { type: 'Record', attributes: new Map([[name, type]]) }),
      )
    } catch (thrown) {
      if (!(thrown instanceof Unheld)) throw thrown
      unheld.set(name, thrown.message)
    }
  }
  return held
}

/** IPv4 that came over an IPv6 socket is IPv4; the zone of a link is nothing Cedar knows. */
function plainAddress(address: string | null): string | undefined {
  return address?.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/s, '')
}

function textOf(text: string | null): string {
  return text?.isWellFormed() === true ? text.slice(0, 100) : ''
}
