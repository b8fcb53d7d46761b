export { openScim, type Scim, type ScimParts } from './door.ts'
