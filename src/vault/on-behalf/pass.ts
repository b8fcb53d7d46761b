/** The caller's own token on its way to a server: for whom it says it is for, for as long as it is good, and kept nowhere. */
import { hash } from 'node:crypto'
import type { Clock } from '../../foundation/clock.ts'
import { GatewayError } from '../../foundation/errors.ts'
import type { Presented } from '../../foundation/presented.ts'
import type { IdentityProvider } from '../../identity/index.ts'
import type { Asker, Credentials, Upstream } from '../../upstreams/index.ts'
import type { PassThrough } from '../auth-types/auth-type.ts'
import { notPassed } from './errors.ts'

type Passing = {
  readonly way: PassThrough
  readonly provider: IdentityProvider
  readonly asker: Asker
  readonly clock: Clock
}

/** Throws `vault.pass_through_refused`, before anything is sent. */
export function pass(upstream: Upstream, { way, provider, asker, clock }: Passing): Credentials {
  const { transport } = upstream
  const audience = way.audience ?? (transport.kind === 'stdio' ? '' : transport.url)
  const refuse = (why: string): never => {
    throw notPassed(upstream, why, audience)
  }
  const { presented } = asker
  // A token of the gateway's own never leaves it, whoever has it.
  if (presented === undefined) return refuse('it is not one of an identity provider, or is bound to a key.')
  if (presented.issuer !== provider.issuer) return refuse(`it is not one of ${provider.name}.`)
  if (!presented.audiences.includes(audience)) return refuse('it is for somebody else.')
  if (presented.expiresAt <= clock.now()) return refuse('it has expired.')
  return new Passed(presented)
}

class Passed implements Credentials {
  /** What is open at the server with one token is not gone on with by another. */
  readonly edition: string
  readonly #presented: Presented

  constructor(presented: Presented) {
    this.#presented = presented
    this.edition = hash('sha256', presented.token.reveal(), 'base64url')
  }

  get headers(): readonly string[] {
    // One that ends meanwhile is refused there; without any the server might take the request for somebody else's.
    return ['Authorization', `Bearer ${this.#presented.token.reveal()}`]
  }

  environment(): Readonly<Record<string, string>> {
    return {}
  }

  readonly renew = async (): Promise<never> => {
    throw new GatewayError('upstream.unauthorized', {
      why: 'It does not take the token that you call with.',
      fix: 'Use an account that may, or ask whoever looks after the server what tokens it takes.',
    })
  }
}
