/** What callers are told where a server is called with what their identity provider gave, and there is nothing of that. */
import { fail, GatewayError } from '../../foundation/errors.ts'
import type { IdentityProvider } from '../../identity/index.ts'
import type { Upstream } from '../../upstreams/index.ts'

type Place = Pick<Upstream, 'group' | 'name'>

export function unknownProvider(name: string): never {
  return fail('vault.provider_trouble', {
    why: `There is no identity provider ${name}, whose tokens this server is called with.`,
    fix: 'Ask an admin to add it, or to correct the authentication of the server: gatehouse identity-provider list.',
  })
}

/** Virtual accounts, and the gateway itself. */
export function personNeeded({ group, name }: Place): GatewayError {
  return new GatewayError('vault.person_needed', {
    why: `${group}/${name} is called as a person, with what their identity provider gave for them, and this call is made by nobody of there.`,
    noEffect: true,
  })
}

export function notKept({ group, name }: Place, { name: provider }: IdentityProvider): GatewayError {
  return new GatewayError('vault.person_needed', {
    why: `${group}/${name} is called with a token of ${provider}: this call came without one, and none is kept.`,
    fix: `Call with a token of ${provider}, or ask an admin to set onBehalf for it, and sign in again.`,
    noEffect: true,
  })
}

export function notPassed({ group, name }: Place, why: string, audience: string): GatewayError {
  return new GatewayError('vault.pass_through_refused', {
    why: `${group}/${name} is called with the token that you call with: ${why}`,
    fix: `Call the gateway with a token of the identity provider that is for ${audience}.`,
    noEffect: true,
  })
}
