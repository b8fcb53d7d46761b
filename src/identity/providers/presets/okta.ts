import { type Preset, standard } from './preset.ts'

/** Tokens for the gateway come from a custom authorization server: those of the organisation itself cannot be checked by anybody else. */
export const okta = {
  ...standard,
  name: 'okta',
  title: 'Okta',
  algorithms: ['RS256'],
  objectionTo(issuer) {
    const { pathname } = new URL(issuer)
    if (pathname === '/' || /^\/oauth2\/[\w-]+$/.test(pathname)) return undefined
    return 'An issuer of Okta is https://<domain> or https://<domain>/oauth2/<authorization server>'
  },
} satisfies Preset<'okta'>
