/** What a virtual account proves itself by at the authorization server, besides secrets. All of it is public. */
import { hash } from 'node:crypto'
import { z } from 'zod'
import { nameSchema } from '../schemas.ts'

const clientIdShape = /^account\.([a-z0-9-]{1,63})$/

/** The client_id of a virtual account. No other client has one with a dot in it and without a scheme. */
export function clientIdOf(account: string): string {
  return `account.${account}`
}

/** The name in such a client_id, whether there is an account of it or not. */
export function accountOfClient(clientId: string): string | undefined {
  const name = clientIdShape.exec(clientId)?.[1]
  return name !== undefined && nameSchema.safeParse(name).success ? name : undefined
}

const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']

const publicKey = z.record(z.string(), z.unknown()).superRefine((key, context) => {
  if (!['RSA', 'EC', 'OKP'].includes(String(key.kty)))
    context.addIssue({ code: 'custom', message: 'a key is a JWK with kty RSA, EC or OKP' })
  if (secretMembers.some(name => key[name] !== undefined))
    context.addIssue({ code: 'custom', message: 'this is a private key: only its public half belongs here' })
})

const workload = z.strictObject({
  issuer: z
    .string()
    .min(1)
    .max(2000)
    .describe('Of an identity provider with use.workloads, letter by letter.'),
  subject: z.string().min(1).max(500).describe('Exactly as its tokens name it.'),
  claims: z
    .record(z.string().min(1).max(200), z.string().max(500))
    .refine(claims => Object.keys(claims).length <= 20, 'ask for at most 20 claims')
    .default({})
    .describe('What else its tokens must say, each exactly. A path into objects is written with dots.'),
  audience: z
    .string()
    .min(1)
    .max(500)
    .optional()
    .describe(
      'Whom its tokens are for, where that cannot be the issuer or the token endpoint of the gateway.',
    ),
  mayRepeat: z
    .boolean()
    .default(false)
    .describe('One token of it may be exchanged many times, as those that a cluster mounts as files.'),
})

export type Workload = z.infer<typeof workload>

export const credentialsSchema = z
  .strictObject({
    keys: z.array(publicKey).min(1).max(10).optional().describe('Public keys as JWKs, for private_key_jwt.'),
    keysUrl: z
      .url({ protocol: /^https$/ })
      .max(2000)
      .optional()
      .describe('Where its public keys are instead (a JWKS).'),
    workloads: z
      .array(workload)
      .max(20)
      .default([])
      .describe('Programs that may be this account by the JWTs their surroundings give them.'),
    dpop: z
      .enum(['accepted', 'required'])
      .default('accepted')
      .describe('required: every token of the account is bound to a key (DPoP), and no other is taken.'),
  })
  .refine(({ keys, keysUrl }) => keys === undefined || keysUrl === undefined, {
    message: 'give keys or keysUrl, not both',
    path: ['keysUrl'],
  })
  .describe('What the account proves itself by, besides secrets.')

export type Credentials = z.infer<typeof credentialsSchema>

export const noCredentials: Credentials = { workloads: [], dpop: 'accepted' }

/** What our own column holds was checked when it was written. */
export function credentialsOf(json: string | null): Credentials {
  return json === null ? noCredentials : JSON.parse(json)
}

/** Stands for a key or a workload in what was given because of it: when it is not there any more, that ends. */
export function markOf(what: unknown): string {
  return hash('sha256', JSON.stringify(what), 'base64url')
}

/** The mark of the key that signed with this kid: of all of them where that does not say which. */
export function keyMarkOf({ keys, keysUrl }: Credentials, kid: unknown): string {
  if (keys === undefined) return markOf(keysUrl)
  const named = keys.filter(key => kid === undefined || key.kid === kid)
  return markOf(named.length === 1 ? named[0] : keys)
}

export function keyMarksOf({ keys, keysUrl }: Credentials): readonly string[] {
  return keys === undefined ? [markOf(keysUrl)] : [...keys, keys].map(markOf)
}
