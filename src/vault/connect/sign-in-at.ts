/** A server that is called with what a person's sign-in left: whether that will do, and where to sign in again. */
import { fail, GatewayError } from '../../foundation/errors.ts'
import type { OnBehalf } from '../auth-types/auth-type.ts'
import type { Credential } from '../credentials/credential.ts'
import type { ConnectParts, Question } from './connect.ts'

type Asked = {
  readonly onBehalf: OnBehalf
  readonly owner: string
  readonly credential: Credential | undefined
}

type SignIn = Omit<Extract<Question, { kind: 'sign-in' }>, 'present' | 'shownTo'>

async function signInAt(parts: Pick<ConnectParts, 'onBehalf'>, asked: Asked): Promise<SignIn> {
  const { onBehalf, owner, credential } = asked
  const { name, title } = parts.onBehalf.provider(onBehalf.provider)
  const kept = await parts.onBehalf.isReady(onBehalf, owner)
  // What was refused is tried again once they have signed in since.
  const refusedAt = credential !== undefined && credential.trouble !== null ? credential.updatedAt : 0
  return { kind: 'sign-in', provider: name, at: title, isReady: kept !== undefined && kept.since > refusedAt }
}

/** Undefined where nobody at a page could repair that they are not: the provider is gone, or nothing of its sign-ins is kept. */
export async function isSignedIn(
  parts: Pick<ConnectParts, 'onBehalf'>,
  asked: Asked,
): Promise<boolean | undefined> {
  try {
    return (await askedToSignIn(parts, asked)).isReady
  } catch (error) {
    if (error instanceof GatewayError) return undefined
    throw error
  }
}

/** The same for a person at the page. Throws `vault.connect_refused` where signing in would not help. */
export async function askedToSignIn(parts: Pick<ConnectParts, 'onBehalf'>, asked: Asked): Promise<SignIn> {
  const signIn = await signInAt(parts, asked)
  const { name, onBehalf } = parts.onBehalf.provider(asked.onBehalf.provider)
  if (onBehalf !== undefined || signIn.isReady) return signIn
  return fail('vault.connect_refused', {
    why: `The gateway does not keep what ${name} gives when you sign in there.`,
    fix: `Call with a token of ${name}, or ask an admin to set onBehalf for it.`,
  })
}
