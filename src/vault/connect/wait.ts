/** Waiting for somebody to connect an account, in whichever process they do. */
import type { Announcements } from '../../foundation/announcements.ts'
import type { Upstream } from '../../upstreams/index.ts'
import { credentialOf } from '../credentials/credential-table.ts'
import type { Connect, ConnectParts } from './connect.ts'

export type Awaited = {
  /** `group/server` */
  readonly server: string
  /** Why it was needed. */
  readonly reason: string
  /** Milliseconds since 1970: what was connected before is not what is waited for. */
  readonly since: number
}

/** Other processes say nothing when somebody connects there. */
const lookMilliseconds = 1000

/** True as soon as the account is connected; false when it is not in time. */
export function openWaiting(
  parts: ConnectParts & { find(group: string, name: string): Upstream | undefined },
  { isConnected }: Connect,
) {
  const isThere = async (upstream: Upstream, owner: string, { reason, since }: Awaited) => {
    if (reason !== 'scopes') return (await isConnected(upstream, owner)) === true
    const stored = await credentialOf(parts.database.kysely, { serverId: upstream.id, owner })
    return stored !== undefined && stored.credential.createdAt >= since
  }
  return async (owner: string, awaited: Awaited, milliseconds: number): Promise<boolean> => {
    const [group = '', name = ''] = awaited.server.split('/')
    const until = parts.clock.elapsed() + milliseconds
    for (;;) {
      const upstream = parts.find(group, name)
      if (upstream === undefined) return false
      if (await isThere(upstream, owner, awaited)) return true
      const left = until - parts.clock.elapsed()
      if (left <= 0) return false
      await news(parts.announcements, upstream.id, Math.min(left, lookMilliseconds))
    }
  }
}

function news(announcements: Announcements, serverId: string, milliseconds: number): Promise<void> {
  return new Promise(done => {
    const over = () => {
      clearTimeout(timer)
      stop()
      done()
    }
    const timer = setTimeout(over, milliseconds)
    const stop = announcements.listen('connection.made', made => {
      if (made.serverId === serverId) over()
    })
  })
}
