/** What a browser says a passkey answered, read before anything believes it. */
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import { parseBounded } from '../../foundation/json.ts'
import { webAuthnReading } from './library.ts'

const base64url = z
  .string()
  .max(20_000)
  .regex(/^[\w-]+$/)
const credential = { id: base64url.max(1400), rawId: base64url.max(1400), type: z.literal('public-key') }
const transports = ['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'] as const
export const transportSchema = z.enum(transports)

const registration = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: base64url,
    attestationObject: base64url,
    transports: z.array(z.string().max(30)).max(10).default([]),
  }),
})

const assertion = z.object({
  ...credential,
  response: z.object({
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
    userHandle: base64url.nullish(),
  }),
})

/** Throws `identity.passkey_refused`. */
export async function readRegistration(text: string): Promise<RegistrationResponseJSON> {
  const { response, ...rest } = read(registration, text)
  await checkAttestation(response.attestationObject)
  const known = response.transports.flatMap(name => transportSchema.safeParse(name).data ?? [])
  return { ...rest, response: { ...response, transports: known }, clientExtensionResults: {} }
}

/** Throws `identity.passkey_refused`. */
export function readAssertion(text: string): AuthenticationResponseJSON {
  const { response, ...rest } = read(assertion, text)
  const { userHandle, ...needed } = response
  const whole = userHandle == null ? needed : { ...needed, userHandle }
  return { ...rest, response: whole, clientExtensionResults: {} }
}

/** No maker vouches for a passkey here, for checking that would fetch the lists that its certificates name. */
async function checkAttestation(attestationObject: string): Promise<void> {
  const { decodeAttestationObject } = await webAuthnReading()
  const decoded = orRefused(() => decodeAttestationObject(Buffer.from(attestationObject, 'base64url')))
  const isPlain = decoded.get('fmt') === 'none'
  const isOwn = decoded.get('fmt') === 'packed' && decoded.get('attStmt').get('x5c') === undefined
  if (!isPlain && !isOwn)
    fail('identity.passkey_refused', { why: 'It brings an attestation, which was not asked for.' })
}

function read<T>(schema: z.ZodType<T>, text: string): T {
  const parsed = schema.safeParse(orRefused(() => parseBounded(Buffer.from(text))))
  return parsed.success ? parsed.data : malformed()
}

function orRefused<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    return malformed(cause)
  }
}

function malformed(cause?: unknown): never {
  return fail('identity.passkey_refused', { why: 'The answer of the passkey is not well formed.', cause })
}
