import { fail } from '../foundation/errors.ts'

type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

/** A fetch for documents about clients and their keys: what comes as anything but JSON is not read, whatever stands in it. */
export function jsonOnly(get: Fetch): Fetch {
  return async (input, init) => {
    const answer = await get(input, init)
    const type = answer.headers.get('content-type') ?? ''
    if (answer.status === 200 && !/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type))
      fail('http.bad_content_type', { why: 'The document is not JSON.' })
    return answer
  }
}
