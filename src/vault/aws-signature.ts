/** AWS Signature Version 4, in headers (IAM User Guide, "Create a signed AWS API request"). */
import { createHash, createHmac } from 'node:crypto'
import type { Signable } from '../upstreams/index.ts'

export type AwsKeys = {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Of temporary keys. */
  readonly sessionToken?: string | undefined
}

export type AwsScope = { readonly region: string; readonly service: string }

type Header = readonly [name: string, value: string]

const algorithm = 'AWS4-HMAC-SHA256'

/** The headers that a request carries besides its own, as flat pairs. `at` is milliseconds since 1970. */
export function signedHeaders(
  request: Signable,
  keys: AwsKeys,
  scope: AwsScope,
  at: number,
): readonly string[] {
  const time = new Date(at).toISOString().replace(/[-:]|\.\d+/g, '')
  const day = time.slice(0, 8)
  const added = [
    'x-amz-date',
    time,
    ...(keys.sessionToken === undefined ? [] : ['x-amz-security-token', keys.sessionToken]),
  ]
  const signed = headersToSign(request, added)
  const names = signed.map(([name]) => name).join(';')
  const within = `${day}/${scope.region}/${scope.service}/aws4_request`
  const what = hash(canonical(request, signed, names))
  const signature = hmac(signingKey(keys, scope, day), `${algorithm}\n${time}\n${within}\n${what}`).toString(
    'hex',
  )
  const credential = `${keys.accessKeyId}/${within}`
  return [
    ...added,
    'authorization',
    `${algorithm} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
  ]
}

/** The host, what the body is, and everything of theirs. What a proxy may touch is not signed. */
function headersToSign({ host, headers }: Signable, added: readonly string[]): Header[] {
  const all = ['host', host, ...headers, ...added]
  const signed: Header[] = []
  for (let i = 0; i < all.length; i += 2) {
    const name = (all[i] ?? '').toLowerCase()
    const value = (all[i + 1] ?? '').trim().replace(/ +/g, ' ')
    if (name === 'host' || name === 'content-type' || name.startsWith('x-amz-')) signed.push([name, value])
  }
  return signed.sort(([a], [b]) => compare(a, b))
}

function canonical({ method, path, body }: Signable, signed: readonly Header[], names: string): string {
  const [pathname = '/', query = ''] = split(path)
  return [
    method,
    pathname
      .replace(/\/{2,}/g, '/')
      .split('/')
      .map(encoded)
      .join('/'),
    canonicalQuery(query),
    ...signed.map(([name, value]) => `${name}:${value}`),
    '',
    names,
    hash(body ?? ''),
  ].join('\n')
}

function split(path: string): [string, string] {
  const at = path.indexOf('?')
  return at < 0 ? [path, ''] : [path.slice(0, at), path.slice(at + 1)]
}

function canonicalQuery(query: string): string {
  const pairs = [...new URLSearchParams(query.replaceAll('+', '%2B'))].map(
    ([name, value]): Header => [encoded(name), encoded(value)],
  )
  return pairs
    .sort((a, b) => compare(a[0], b[0]) || compare(a[1], b[1]))
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
}

// As RFC 3986 has it: encodeURIComponent leaves these five.
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    found => `%${found.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

function signingKey({ secretAccessKey }: AwsKeys, { region, service }: AwsScope, day: string): Buffer {
  return [day, region, service, 'aws4_request'].reduce<Buffer>(hmac, Buffer.from(`AWS4${secretAccessKey}`))
}

const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()
const hash = (given: string | Buffer) => createHash('sha256').update(given).digest('hex')
