/** What OAuth calls things, in full. */

export const grants = {
  clientCredentials: 'client_credentials',
  jwtBearer: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
  tokenExchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
} as const

const tokenType = (kind: string) => `urn:ietf:params:oauth:token-type:${kind}`

export const tokenTypes = { accessToken: tokenType('access_token'), jwt: tokenType('jwt') } as const

/** In the metadata of a server that takes ID-JAGs. */
export const idJagProfile = 'urn:ietf:params:oauth:grant-profile:id-jag'
export const idJagType = 'oauth-id-jag+jwt'
