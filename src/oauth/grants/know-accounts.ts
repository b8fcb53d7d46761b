/** Where the library would compare and remember by itself, and we know better. */
import type { Provider } from 'oidc-provider'
import type { OAuthStore } from '../../identity/index.ts'
import { visit } from '../visit.ts'

/** A proof that is dated ahead is good for so much longer than the library has it remembered. */
const aheadMilliseconds = 300_000

export function knowAccounts(provider: Provider, { machines, artifacts }: OAuthStore): void {
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
    unique: (issuer: string, jti: string, expiresAt: number) =>
      artifacts.once('ReplayDetection', JSON.stringify([issuer, jti]), expiresAt * 1000 + aheadMilliseconds),
  })
}
