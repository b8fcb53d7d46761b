/** How the gateway authenticates to upstreams: secrets sealed at rest, opened only to equip a request. */
export type { AuthType } from './auth-types/auth-type.ts'
export { authSchema, authTypes } from './auth-types/index.ts'
export { headerObjection } from './header-rules.ts'
export { malformedReference, missingIn, referencesIn, resolveReferences, type Secrets } from './references.ts'
export { openVault, type Vault } from './vault.ts'
