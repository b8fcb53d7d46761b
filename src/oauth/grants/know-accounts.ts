/** Where the library would compare and remember by itself, and we know better. */
import type { Provider } from 'oidc-provider'
import type { Machines } from '../../identity/index.ts'
import { visit } from '../visit.ts'

export function knowAccounts(provider: Provider, machines: Machines): void {
  const { compareClientSecret } = provider.Client.prototype
  Object.assign(provider.Client.prototype, {
    // Secrets of accounts are known by their hashes, and there may be two.
    async compareClientSecret(this: InstanceType<Provider['Client']>, secret: string): Promise<boolean> {
      const machine = await machines.find(this.clientId)
      if (machine === undefined) return compareClientSecret.call(this, secret)
      const id = await machines.secret(machine, secret)
      if (id !== undefined) visit().about.secretId = id
      return id !== undefined
    },
  })
  // Looking and keeping in one step: of requests at the same moment, in whatever process, one is first.
  Object.assign(provider.ReplayDetection, {
    unique: (issuer: string, jti: string, expiresAt: number) => {
      const seconds = Math.max(1, expiresAt - Math.floor(Date.now() / 1000))
      return machines.once('replay', JSON.stringify([issuer, jti]), { seconds })
    },
  })
}
