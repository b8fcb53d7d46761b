import type { IncomingMessage } from 'node:http'
import { fail } from './errors.ts'
import { readBytes } from './read-bytes.ts'

const mostBytes = 64 * 1024

/** The fields of a form post. Throws `http.bad_content_type`, `http.body_too_large` or, for a field given twice, `http.bad_request`. */
export async function readForm(request: IncomingMessage): Promise<ReadonlyMap<string, string>> {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(request.headers['content-type'] ?? ''))
    fail('http.bad_content_type', { why: 'A form is sent as application/x-www-form-urlencoded.' })
  return fieldsOf(new URLSearchParams((await readBytes(request, mostBytes)).toString('utf8')))
}

/** Every parameter once. Throws `http.bad_request` for one that is there twice: two readers could take either. */
export function fieldsOf(params: URLSearchParams): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const [name, value] of params) {
    if (fields.has(name)) fail('http.bad_request', { why: 'A field is there twice.' })
    fields.set(name, value)
  }
  return fields
}
