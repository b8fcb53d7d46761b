/** How every connection of this process leaves the machine: whether through a proxy, and whose certificates it trusts besides the usual. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { ipLiteral } from '../foundation/egress.ts'
import { fail } from '../foundation/errors.ts'
import { isLoopback } from '../foundation/guards.ts'
import { isNetwork, type Networks, networksOf } from '../foundation/networks.ts'

export type EgressSettings = {
  readonly proxy?: string | undefined
  /** Hosts, with what is below them, addresses and ranges that are reached without it. */
  readonly noProxy: readonly string[]
  /** A file of PEM certificates. */
  readonly caFile?: string | undefined
}

let proxy: URL | undefined
let direct: Networks = networksOf([])

/** For the start of a process, which has one way out. Throws `config.invalid`. */
export function takeWayOut(settings: EgressSettings): void {
  proxy = settings.proxy === undefined ? undefined : checkedProxy(settings.proxy)
  direct = networksOf(settings.noProxy.map(entry => checkedEntry(entry.replace(/^\*?\./, ''))))
  if (settings.caFile !== undefined)
    setDefaultCACertificates([...getCACertificates('default'), ...readCertificates(settings.caFile)])
}

/** The proxy on the way to this host, if there is one. The machine itself is never reached through it. */
export function proxyFor(host: string): URL | undefined {
  if (proxy === undefined || isLoopback(host)) return undefined
  const isDirect = ipLiteral(host) === undefined ? direct.covers(host) : direct.has(host)
  return isDirect ? undefined : proxy
}

function checkedProxy(text: string): URL {
  const url = new URL(text)
  try {
    decodeURIComponent(url.username + url.password)
    return url
  } catch (cause) {
    return fail('config.invalid', {
      why: 'The user name or password in egress.proxy has a percent sign that stands for nothing.',
      fix: 'Write it as %25.',
      cause,
    })
  }
}

function checkedEntry(entry: string): string {
  if (isNetwork(entry)) return entry
  return fail('config.invalid', {
    why: `egress.noProxy has "${entry}", which is no host, address or range.`,
    fix: 'Write hosts like corp.example, addresses like 10.0.0.7 and ranges like 10.0.0.0/8.',
  })
}

function readCertificates(file: string): string[] {
  try {
    const found =
      readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
    if (found.length === 0) throw new Error('it holds none')
    return found.map(text => new X509Certificate(text).toString())
  } catch (cause) {
    return fail('config.invalid', {
      why: `egress.caFile names ${file}, which gives no certificates: ${cause instanceof Error ? cause.message : ''}`,
      fix: 'Name a file of certificates in PEM form (-----BEGIN CERTIFICATE-----).',
      cause,
    })
  }
}
