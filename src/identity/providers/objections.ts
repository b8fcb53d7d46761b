/** What is right in each part of an identity provider and does not go together. */
import { isLoopback } from '../../foundation/guards.ts'
import { presetOf } from './presets/index.ts'
import type { ProviderInput } from './provider.ts'

export type Objection = { readonly path: string[]; readonly message: string }

export function objections(provider: ProviderInput): Objection[] {
  return [...aboutAddresses(provider), ...aboutUse(provider), ...aboutBounds(provider)]
}

function aboutAddresses({ issuer, preset, endpoints, allowPrivateNetwork }: ProviderInput): Objection[] {
  const isOdd = objectionToIssuer(issuer) ?? presetOf(preset).objectionTo(issuer)
  const given = Object.entries(endpoints).flatMap(([name, address]) =>
    address === undefined ? [] : [{ path: ['endpoints', name], address }],
  )
  return [
    ...(isOdd === undefined ? [] : [{ path: ['issuer'], message: isOdd }]),
    ...[{ path: ['issuer'], address: issuer }, ...given].flatMap(({ path, address }) => {
      const message = objectionToAddress(address, allowPrivateNetwork)
      return message === undefined ? [] : [{ path, message }]
    }),
  ]
}

function objectionToIssuer(issuer: string): string | undefined {
  const { username, password } = new URL(issuer)
  if (/[?#]/.test(issuer)) return 'an issuer has no query and no fragment'
  return username !== '' || password !== '' ? 'an issuer has no user name in it' : undefined
}

function objectionToAddress(address: string, allowPrivateNetwork: boolean): string | undefined {
  const { protocol, hostname } = new URL(address)
  if (protocol === 'https:' || (allowPrivateNetwork && isLoopback(hostname))) return undefined
  return 'use https; http is for loopback only, with allowPrivateNetwork'
}

function aboutUse({ use, clientId, audiences, onBehalf }: ProviderInput): Objection[] {
  const found: Objection[] = []
  if (use.signIn && clientId === undefined)
    found.push({ path: ['clientId'], message: 'signing in needs a client id' })
  if (onBehalf !== undefined && !use.signIn)
    found.push({ path: ['onBehalf'], message: 'there is nothing to keep where nobody signs in' })
  if (use.bearer.includes('api') && audiences.length === 0)
    found.push({ path: ['audiences'], message: 'say whom tokens for the management API must be for' })
  return found
}

function aboutBounds({ bound, teams }: ProviderInput): Objection[] {
  if (bound === undefined) return []
  const hasMapping = teams.prefix !== undefined || Object.keys(teams.map).length > 0
  return 'team' in bound && hasMapping
    ? [{ path: ['teams'], message: 'people bound to a team are in that team and no other' }]
    : []
}
