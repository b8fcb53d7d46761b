import { entra } from './entra.ts'
import { google } from './google.ts'
import { keycloak } from './keycloak.ts'
import { oidc } from './oidc.ts'
import { okta } from './okta.ts'
import type { Preset } from './preset.ts'

/** The products we know; anything else that speaks OpenID Connect is `oidc`. */
export const presets = { oidc, okta, entra, google, keycloak } satisfies Record<string, Preset>

export type PresetName = keyof typeof presets

export const presetNames = [
  'oidc',
  'okta',
  'entra',
  'google',
  'keycloak',
] as const satisfies readonly PresetName[]

export function presetOf(name: PresetName): Preset {
  return presets[name]
}
