/** The tokens we hand out: prefix, 43 base62 characters from a CSPRNG (256 bits), 6 of CRC-32 over all before them. */
import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

export type TokenKind = 'pat' | 'vat'

const prefixes = { pat: 'gth_pat_', vat: 'gth_vat_' } as const
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const bodyLength = 43
const checksumLength = 6
const tokenLength = prefixes.pat.length + bodyLength + checksumLength
const shape = /^gth_[pv]at_[0-9A-Za-z]{49}$/

/** The largest multiple of 62 in a byte: bytes from here on are thrown away, or the first letters would come up more often. */
const fairBytes = 248

/** A new token; nobody has seen it before and nobody can guess it. */
export function newToken(kind: TokenKind): string {
  const rest = prefixes[kind] + randomBody()
  return rest + checksum(rest)
}

/** The kind of a well-formed token; undefined for everything else, which needs no look into the database. */
export function tokenKind(text: string): TokenKind | undefined {
  if (text.length !== tokenLength || !shape.test(text)) return undefined
  const rest = text.slice(0, -checksumLength)
  if (checksum(rest) !== text.slice(-checksumLength)) return undefined
  return text.startsWith(prefixes.pat) ? 'pat' : 'vat'
}

function randomBody(): string {
  let body = ''
  while (body.length < bodyLength) {
    for (const byte of randomBytes(bodyLength - body.length)) {
      if (byte < fairBytes) body += alphabet[byte % alphabet.length]
    }
  }
  return body
}

function checksum(rest: string): string {
  let text = ''
  for (let left = crc32(rest); text.length < checksumLength; left = Math.floor(left / alphabet.length)) {
    text = alphabet[left % alphabet.length] + text
  }
  return text
}
