/** The tokens we hand out: prefix, 43 base62 characters from a CSPRNG (256 bits), 6 of CRC-32 over all before them. */
import { randomBytes } from 'node:crypto'
import { crc32 } from 'node:zlib'

/**
 * Personal access token, virtual account token; of the authorization server the access token (oat), refresh token (ort),
 * code (oac), client secret (ocs) and registration token (org); browser session (ses), one-time link (lnk).
 */
export type TokenKind = 'pat' | 'vat' | 'oat' | 'ort' | 'oac' | 'ocs' | 'org' | 'ses' | 'lnk'

const kinds: readonly TokenKind[] = ['pat', 'vat', 'oat', 'ort', 'oac', 'ocs', 'org', 'ses', 'lnk']
const prefixLength = 'gth_pat_'.length
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const bodyLength = 43
const checksumLength = 6
const tokenLength = prefixLength + bodyLength + checksumLength
const shape = /^gth_([a-z]{3})_[0-9A-Za-z]{49}$/

/** The largest multiple of 62 in a byte: bytes from here on are thrown away, or the first letters would come up more often. */
const fairBytes = 248

/** A new token; nobody has seen it before and nobody can guess it. */
export function newToken(kind: TokenKind): string {
  const rest = `gth_${kind}_${randomBody()}`
  return rest + checksum(rest)
}

/** The kind of a well-formed token; undefined for everything else, which needs no look into the database. */
export function tokenKind(text: string): TokenKind | undefined {
  const prefix = text.length === tokenLength ? shape.exec(text)?.[1] : undefined
  const kind = kinds.find(one => one === prefix)
  if (kind === undefined) return undefined
  return checksum(text.slice(0, -checksumLength)) === text.slice(-checksumLength) ? kind : undefined
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
