/** Wrapping with a key that is in memory. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import { fail } from '../../../foundation/errors.ts'
import type { KeyWrapper } from './provider.ts'

const algorithm = 'aes-256-gcm'
const ivBytes = 12
const tagBytes = 16
const headBytes = ivBytes + tagBytes

export function localWrapper(secret: Buffer, named: string): KeyWrapper {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'gatehouse vault wrap', 32))
  return {
    named,
    async wrap(plain, about) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv(algorithm, key, iv, { authTagLength: tagBytes }).setAAD(
        Buffer.from(about),
      )
      const text = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url')
    },
    async unwrap(wrapped, about) {
      const bytes = Buffer.from(wrapped, 'base64url')
      try {
        const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, ivBytes), {
          authTagLength: tagBytes,
        })
        decipher.setAAD(Buffer.from(about)).setAuthTag(bytes.subarray(ivBytes, headBytes))
        return Buffer.concat([decipher.update(bytes.subarray(headBytes)), decipher.final()])
      } catch (cause) {
        return fail('vault.key_wrong', { why: `What is stored was not wrapped by ${named}.`, cause })
      }
    },
  }
}
