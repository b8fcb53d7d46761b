import { fail } from '../../foundation/errors.ts'
import { isLoopback } from '../../foundation/guards.ts'

export type RelyingParty = {
  /** The host name that passkeys are made for, and good for. */
  readonly id: string
  readonly origin: string
}

const ipLiteral = /^(?:\[.*\]|[\d.]+)$/

/** Whom a passkey made on a page of this origin is for (WebAuthn, 5.1.3). Throws `identity.passkey_unavailable`. */
export function relyingParty(origin: string): RelyingParty {
  const { hostname, port, protocol } = new URL(origin)
  if (ipLiteral.test(hostname))
    fail('identity.passkey_unavailable', {
      why: `A passkey is made for a host name, and ${hostname} is an address.`,
      fix: isLoopback(hostname)
        ? `Open the gateway as ${protocol}//localhost${port === '' ? '' : `:${port}`} instead.`
        : 'Give the gateway a name with https, and set publicUrl to it.',
    })
  if (protocol !== 'https:' && hostname !== 'localhost')
    fail('identity.passkey_unavailable', {
      why: 'Browsers make passkeys for https only.',
      fix: 'Put https in front of the gateway and set publicUrl to it.',
    })
  return { id: hostname, origin }
}
