/** Cookies of browsers (RFC 6265bis): always HttpOnly, for the whole site, and under the `__Host-` prefix where there is https. */

export type Cookie = {
  readonly name: string
  readonly value: string /** 0 ends it. */
  readonly maxAgeSeconds: number
}

export type Cookies = {
  /** A value for `Set-Cookie`. `SameSite=Lax`, for people come from links of other sites. */
  set(cookie: Cookie): string
  /** The value of a cookie in a `Cookie` header; undefined when it is not there, or there twice. */
  read(header: string | undefined, name: string): string | undefined
}

/** Over plain http, which there is on loopback only, browsers refuse the prefix that says "over https". */
export function openCookies({ isSecure }: { isSecure(): boolean }): Cookies {
  const nameOf = (name: string) => (isSecure() ? `__Host-${name}` : name)
  return {
    set({ name, value, maxAgeSeconds }) {
      const secure = isSecure() ? '; Secure' : ''
      return `${nameOf(name)}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}${secure}`
    },
    read(header, name) {
      const start = `${nameOf(name)}=`
      const found = (header ?? '')
        .split(';')
        .map(pair => pair.trim())
        .filter(pair => pair.startsWith(start))
      return found.length === 1 ? found[0]?.slice(start.length) : undefined
    },
  }
}
