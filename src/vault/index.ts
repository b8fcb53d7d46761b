/** How the gateway authenticates to upstreams: secrets sealed at rest, opened only to equip a request. */
export { authSchema } from './auth-types/index.ts'
export type { Connect, Person, Question } from './connect/connect.ts'
export type { Awaited } from './connect/wait.ts'
export { openVaultKeys, type VaultKeys } from './keys/open.ts'
export { openVault, type Vault } from './open.ts'
export { referencesIn, type Secrets } from './references.ts'
export { callbackPath, documentPath } from './self.ts'
export { type Equip, openEquip, openSeals, type Seals } from './vault.ts'
