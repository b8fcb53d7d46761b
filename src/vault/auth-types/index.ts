import { z } from 'zod'
import { family } from '../../foundation/family.ts'
import type { AuthType } from './auth-type.ts'
import { awsSigv4 } from './aws-sigv4.ts'
import { clientCredentials } from './client-credentials.ts'
import { environment } from './environment.ts'
import { headers } from './headers.ts'
import { idJagOut } from './id-jag.ts'
import { none } from './none.ts'
import { oauth2 } from './oauth2.ts'
import { passThrough } from './pass-through.ts'
import { tokenExchange } from './token-exchange.ts'

/** Every way the gateway can authenticate to an upstream. */
export const authTypes = family<AuthType>(
  none,
  headers,
  environment,
  oauth2,
  clientCredentials,
  tokenExchange,
  idJagOut,
  passThrough,
  awsSigv4,
)

/** How people write one of them: in a manifest, in the API. */
export const authSchema = z.discriminatedUnion(
  'kind',
  [
    none.config,
    headers.config,
    environment.config,
    oauth2.config,
    clientCredentials.config,
    tokenExchange.config,
    idJagOut.config,
    passThrough.config,
    awsSigv4.config,
  ],
  {
    error: issue => (issue.code === 'invalid_union' ? `there are ${kinds()}` : undefined),
  },
)

function kinds(): string {
  return authTypes.members.map(member => `kind: ${member.kind}`).join(', ')
}
