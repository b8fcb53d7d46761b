/** With what a server is read. */
import { GatewayError } from '../foundation/errors.ts'
import type { Asker, Equipped } from './equipped.ts'
import type { Upstream } from './upstream.ts'

export type Equipping = {
  equip(upstream: Upstream, asker: Asker): Equipped | Promise<Equipped>
  /** With what the client of the asker brought to authenticate there. */
  equipBrought(upstream: Upstream, asker: Asker): Equipped | undefined
}

type Reading = { readonly upstream: Upstream; readonly asker: Asker }

/** With what the asker has there; with what their client brought only where the server takes nothing else, for what it says is kept for everybody. */
export async function readWith<Read>(
  { equip, equipBrought }: Equipping,
  { upstream, asker }: Reading,
  read: (to: Equipped) => Promise<Read>,
): Promise<Read> {
  try {
    // Who has no account there learns it now, and not what came of somebody else's reading.
    return await read(await equip(upstream, asker))
  } catch (error) {
    const isNotTaken = error instanceof GatewayError && notTaken.includes(error.code)
    const brought = isNotTaken ? equipBrought(upstream, asker) : undefined
    if (brought === undefined) throw error
    return read(brought)
  }
}

const notTaken = ['upstream.unauthorized', 'vault.connect_needed']
