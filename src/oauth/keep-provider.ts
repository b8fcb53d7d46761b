/** The library's server, built when it is first asked for, and again when its issuer or its keys are others. */
import type { Provider } from 'oidc-provider'
import type { AuditRecord } from '../audit/index.ts'
import type { Addresses } from '../foundation/addresses.ts'
import type { Announcements } from '../foundation/announcements.ts'
import type { Log } from '../foundation/log.ts'
import { errorPage } from './error-page.ts'
import { jsonOnly } from './json-only.ts'
import type { ProviderParts } from './provider.ts'

export type KeeperParts = Omit<ProviderParts, 'isSecure' | 'showPage'> & {
  readonly addresses: Addresses
  readonly announcements: Announcements
  readonly audit: AuditRecord
  readonly log: Log
}

export type Keeper = () => Promise<Provider>

type Built = { readonly of: string; readonly provider: Provider }

/** Keys are looked at again after a change of anything, and after so long. */
const lookAfterMilliseconds = 3_600_000

export function keepProvider(parts: KeeperParts): Keeper {
  const { addresses, announcements, clock, store } = parts
  let built: Built | undefined
  let lookAt = 0
  let building: Promise<Provider> | undefined
  announcements.listen('identity.changed', () => {
    lookAt = 0
  })
  const build = async () => {
    lookAt = clock.now() + lookAfterMilliseconds
    const keys = await store.keys.current()
    const of = [addresses.origin(), ...keys.map(({ kid }) => kid)].join(' ')
    if (built?.of !== of) built = { of, provider: await made(parts, keys) }
    return built.provider
  }
  return () => {
    if (built !== undefined && clock.now() < lookAt && built.of.startsWith(`${addresses.origin()} `))
      return Promise.resolve(built.provider)
    building ??= build().finally(() => {
      building = undefined
    })
    return building
  }
}

async function made(parts: KeeperParts, keys: Parameters<typeof import('./provider.ts').buildProvider>[1]) {
  // Loaded when somebody asks: most commands and many gateways never do.
  const { buildProvider } = await import('./provider.ts')
  const { tellOf } = await import('./events.ts')
  const { addresses, audit, log } = parts
  const isSecure = addresses.isSecure()
  const fetchDocument = jsonOnly(parts.fetchDocument)
  const provider = buildProvider(addresses.origin(), keys, {
    ...parts,
    fetchDocument,
    isSecure,
    showPage: errorPage,
  })
  tellOf(provider, audit, parts.store.machines.takesIdJags)
  const events: NodeJS.EventEmitter = provider
  events.on('server_error', (_, error) => log.error({ err: error }, 'the authorization server failed'))
  events.on('error', error => log.error({ err: error }, 'the authorization server failed'))
  return provider
}
