import { createHmac } from 'node:crypto'

/** What stands for a secret in the database: useless without the pepper, and found by an index, so no comparison takes time. */
export function keyedHash(pepper: Buffer, secret: string): string {
  return createHmac('sha256', pepper).update(secret).digest('base64url')
}
