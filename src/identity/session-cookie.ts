/** The cookie of a browser's session: who may read it, and how it is set and ended. */
import type { IncomingMessage } from 'node:http'
import type { Cookies } from '../foundation/cookies.ts'
import type { BrowserSession, OpenedSession, Sessions } from './sessions.ts'

/** Its name; `__Host-` stands before it where there is https. */
export const sessionCookieName = 'gatehouse_session'

export type SessionCookie = {
  /** The session of the browser that sends this request. A cookie that is there twice, or in two headers, is nobody's. */
  sessionOf(request: Pick<IncomingMessage, 'headersDistinct'>): Promise<BrowserSession | undefined>
  /** The one it has, where that idled for too long. */
  idledSessionOf(request: Pick<IncomingMessage, 'headersDistinct'>): Promise<BrowserSession | undefined>
  /** The `Set-Cookie` that gives a browser its new session, and without one the `Set-Cookie` that ends it. */
  sessionCookie(opened?: Pick<OpenedSession, 'cookie' | 'maxAgeSeconds'>): string
}

export function openSessionCookie(sessions: Sessions, cookies: Cookies): SessionCookie {
  const valueIn = ({ headersDistinct: { cookie = [] } }: Pick<IncomingMessage, 'headersDistinct'>) =>
    cookie.length === 1 ? cookies.read(cookie[0], sessionCookieName) : undefined
  return {
    sessionOf: request => sessions.find(valueIn(request)),
    idledSessionOf: request => sessions.findIdled(valueIn(request)),
    sessionCookie: ({ cookie: value, maxAgeSeconds } = { cookie: '', maxAgeSeconds: 0 }) =>
      cookies.set({ name: sessionCookieName, value, maxAgeSeconds }),
  }
}
