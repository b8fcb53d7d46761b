import { type Preset, standard } from './preset.ts'

export const oidc = { ...standard, name: 'oidc', title: 'OpenID Connect' } satisfies Preset<'oidc'>
