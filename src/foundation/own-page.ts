import type { IncomingMessage } from 'node:http'
import { fail } from './errors.ts'

/**
 * Was the request sent by a page of this gateway? Browsers add cookies to everybody's requests, so what a cookie may do has to
 * come from here: `Sec-Fetch-Site` says so, or `Origin` where a browser sends no such header. Throws `identity.cross_site`.
 */
export function checkOwnPage({ headers }: Pick<IncomingMessage, 'headers'>, ownOrigin: string): void {
  const { origin, 'sec-fetch-site': site } = headers
  if (site === undefined && origin === undefined)
    fail('identity.cross_site', {
      why: 'The request says with neither Sec-Fetch-Site nor Origin where it comes from.',
    })
  if (site !== undefined && site !== 'same-origin' && site !== 'none')
    fail('identity.cross_site', { why: 'The browser says that another site sent it.' })
  if (origin !== undefined && origin !== ownOrigin)
    fail('identity.cross_site', { why: 'Its Origin is not this gateway.' })
}
