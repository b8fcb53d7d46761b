import { type Preset, standard } from './preset.ts'

/** Groups come as paths, `/engineering/platform`, when its mapper says so. */
export const keycloak = {
  ...standard,
  name: 'keycloak',
  title: 'Keycloak',
  algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
  objectionTo: issuer =>
    /\/realms\/[^/]+$/.test(new URL(issuer).pathname)
      ? undefined
      : 'An issuer of Keycloak names a realm: https://<host>/realms/<realm>',
  groupName: group => group.replace(/^\//, ''),
} satisfies Preset<'keycloak'>
