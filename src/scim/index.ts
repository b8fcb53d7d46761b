export { openScim, type ScimHandler, type ScimParts } from './door.ts'
