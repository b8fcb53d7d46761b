/** Where the gateway is, as its clients and people write it. */

export type Addresses = {
  /** Scheme, host and port of the gateway, without a slash at the end: `https://gateway.example.com`. */
  origin(): string
  /** The origin a request came to: the public one, or without it the Host the client wrote, which the guards let pass. */
  originOf(host: string | undefined): string
  /** Is the gateway reached over https? Then cookies are for https only. */
  isSecure(): boolean
  /** To be told once where the socket listens: until then the port may be unknown. */
  listening(url: string): void
}

type Place = { readonly host: string; readonly port: number; readonly publicUrl?: string | undefined }

const anyAddress = /^(?:0\.0\.0\.0|::|\[::\])$/

export function openAddresses({ host, port, publicUrl }: Place): Addresses {
  const fixed = publicUrl === undefined ? undefined : new URL(publicUrl).origin
  const reachable = (url: string) => {
    const parsed = new URL(url)
    if (anyAddress.test(parsed.hostname)) parsed.hostname = '127.0.0.1'
    return parsed.origin
  }
  let origin = fixed ?? reachable(`http://${host.includes(':') ? `[${host}]` : host}:${port}`)
  return {
    origin: () => origin,
    originOf: asked =>
      fixed !== undefined || asked === undefined ? origin : `http://${asked.toLowerCase()}`,
    isSecure: () => origin.startsWith('https:'),
    listening(url) {
      if (fixed === undefined) origin = reachable(url)
    },
  }
}
