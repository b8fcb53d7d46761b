/** How the gateway authenticates to upstreams: secrets sealed at rest, opened only to equip a request. */
export { authSchema } from './auth-types/index.ts'
export { bringsHeaders, type OwnHeaders, readClientHeaders } from './client-headers.ts'
export { openVaultKeys, type VaultKeys } from './keys/open.ts'
export { referencesIn, type Secrets } from './references.ts'
export { openVault, type Vault } from './vault.ts'
