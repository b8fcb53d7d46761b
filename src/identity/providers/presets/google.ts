import { type Preset, standard } from './preset.ts'

/** Tells of no groups. */
export const google = {
  ...standard,
  name: 'google',
  title: 'Google',
  algorithms: ['RS256'],
  objectionTo: issuer =>
    issuer === 'https://accounts.google.com'
      ? undefined
      : 'The issuer of Google is https://accounts.google.com',
} satisfies Preset<'google'>
