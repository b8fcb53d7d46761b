import { z } from 'zod'
import { family } from '../../foundation/family.ts'
import type { AuthType } from './auth-type.ts'
import { headers } from './headers.ts'
import { none } from './none.ts'

/** Every way the gateway can authenticate to an upstream. */
export const authTypes = family<AuthType>(none, headers)

/** How people write one of them: in a manifest, in the API. */
export const authSchema = z.discriminatedUnion('kind', [none.config, headers.config], {
  error: issue =>
    issue.code === 'invalid_union'
      ? `this version can authenticate to servers with ${kinds()}; other kinds, oauth2 among them, are not built yet`
      : undefined,
})

function kinds(): string {
  return authTypes.members.map(member => `kind: ${member.kind}`).join(' or ')
}
