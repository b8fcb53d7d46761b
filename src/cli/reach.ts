/** How a command gets to a gateway: a remote one, the one running on this data directory, or one made just for the command. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Environment } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import { isAnswering, lockDataDirectory, socketPathOf } from '../data-directory.ts'
import { fail, GatewayError } from '../foundation/errors.ts'
import { openLog } from '../foundation/log.ts'
import { Secret } from '../foundation/secret.ts'
import { listen } from '../listen.ts'
import { type Fetch, localFetch } from './local-fetch.ts'

export type Reach = {
  /** For people: the URL, or the data directory. */
  readonly name: string
  readonly fetch: Fetch
  /** URL of a path below the gateway's root. */
  url(path: string): URL
  /** Sent with every request; none over the local socket, where who can open it is the operator. */
  readonly token: Secret | undefined
  close(): Promise<void>
}

/** GATEHOUSE_URL when set, else the data directory of the configuration. */
export function openReach(environment: Environment, config: () => Config): Promise<Reach> {
  const url = environment.GATEHOUSE_URL
  if (url !== undefined && url !== '') return Promise.resolve(remoteReach(url, environment.GATEHOUSE_TOKEN))
  return local(config(), environment)
}

/** A gateway at a URL. Throws `cli.usage` when it is none. */
export function remoteReach(address: string, token: string | undefined): Reach {
  const base = URL.parse(address.endsWith('/') ? address : `${address}/`)
  if (base === null || !/^https?:$/.test(base.protocol))
    return fail('cli.usage', {
      why: 'GATEHOUSE_URL is not an http or https URL.',
      fix: 'Set it to the URL of a gateway.',
    })
  return {
    name: base.href,
    fetch: (url, init) => fetch(url, init),
    url: path => new URL(path, base),
    token: token === undefined || token === '' ? undefined : new Secret(token),
    close: async () => undefined,
  }
}

const patienceMilliseconds = 10_000

/** A gateway that is starting holds its lock before it answers, one that ends lets go of it last; both are waited for. */
async function local(config: Config, environment: Environment): Promise<Reach> {
  const socketPath = socketPathOf(config.dataDir)
  const until = performance.now() + patienceMilliseconds
  for (;;) {
    if (await isAnswering(socketPath)) return socketReach(config.dataDir, socketPath)
    try {
      return await inProcess(config, environment)
    } catch (thrown) {
      const isTaken = thrown instanceof GatewayError && thrown.code === 'config.in_use'
      if (!isTaken || performance.now() > until) throw thrown
      await sleep(100)
    }
  }
}

async function inProcess(config: Config, environment: Environment): Promise<Reach> {
  const { dataDir } = config
  const lock = await lockDataDirectory(dataDir, 0)
  try {
    // Only here, for the whole gateway is more than most commands need.
    const { createGateway } = await import('../gateway.ts')
    const gateway = await createGateway(config, openLog(quiet(config.logLevel)), environment)
    // A socket of its own: another command that found this gateway would lose it in the middle.
    const socketPath = `${socketPathOf(dataDir)}.${process.pid}`
    const listening = await listen({ ...gateway, socketPath })
    return socketReach(dataDir, socketPath, async () => {
      await listening.drain(1)
      await gateway.close()
      lock.release()
    })
  } catch (thrown) {
    lock.release()
    throw thrown
  }
}

/** What a gateway tells about itself is no part of a command's answer. */
function quiet(level: Config['logLevel']): Config['logLevel'] {
  return level === 'info' ? 'warn' : level
}

/** The gateway behind a local socket; `close` ends what was opened for it. */
export function socketReach(
  name: string,
  socketPath: string,
  close: () => Promise<void> = async () => undefined,
): Reach {
  return {
    name,
    fetch: localFetch(socketPath),
    url: path => new URL(path, 'http://localhost/'),
    token: undefined,
    close,
  }
}
