export { openSignInPages, type SignInPages } from './open-sign-in.ts'
export type { SignInParts } from './visit.ts'
