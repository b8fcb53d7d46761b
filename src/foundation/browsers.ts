/** Which browser sends a request, before anybody signed in: what a form or a sign-in was begun for, nobody else's browser ends. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Cookies } from './cookies.ts'
import { fail } from './errors.ts'

/** The field of every form that has its token. */
export const formTokenField = 'form_token'

const cookieName = 'gatehouse_browser'
const maxAgeSeconds = 12 * 3600
const shape = /^[\w-]{43}$/

export type Browsers = {
  /** The mark of a browser, which only its cookie has: one of before, or a new one. `cookie` is to be set with the answer. */
  markOf(request: Pick<IncomingMessage, 'headersDistinct'>): {
    readonly mark: string
    readonly cookie: string
  }
  /** What a form for this browser carries. */
  formToken(mark: string): string
  /** Throws `identity.form_refused` for a form that was not made for the browser it comes from. */
  checkForm(mark: string, fields: ReadonlyMap<string, string>): void
}

export function openBrowsers(cookies: Cookies, key: Buffer): Browsers {
  const formToken = (mark: string) => createHmac('sha256', key).update(mark).digest('base64url')
  return {
    markOf({ headersDistinct: { cookie = [] } }) {
      const known = cookie.length === 1 ? cookies.read(cookie[0], cookieName) : undefined
      const mark = known !== undefined && shape.test(known) ? known : randomBytes(32).toString('base64url')
      return { mark, cookie: cookies.set({ name: cookieName, value: mark, maxAgeSeconds }) }
    },
    formToken,
    checkForm(mark, fields) {
      const given = Buffer.from(fields.get(formTokenField) ?? '')
      const right = Buffer.from(formToken(mark))
      if (given.length !== right.length || !timingSafeEqual(given, right)) fail('identity.form_refused')
    },
  }
}
