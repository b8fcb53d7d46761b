/** The library of WebAuthn, loaded when somebody uses a passkey for the first time: most starts of the gateway do not need it. */

export const webAuthn = () => import('@simplewebauthn/server')
export const webAuthnReading = () => import('@simplewebauthn/server/helpers')
