import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createPlain, type RequestListener, type Server } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { type AddressInfo, connect, createServer as createSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTls, getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterEach, expect, it } from 'vitest'
import { openAuthority } from '../../test/fixtures/certificates.ts'
import { openProxy } from '../../test/fixtures/proxy.ts'
import { guardedFetch } from './guarded-fetch.ts'
import { takeWayOut } from './way-out.ts'

const usual = getCACertificates('default')
const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
  takeWayOut({ noProxy: [] })
  setDefaultCACertificates(usual)
})

async function listening<T extends Server | ReturnType<typeof createSocket>>(server: T): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  return (server.address() as AddressInfo).port
}

async function proxyTo(ports: Readonly<Record<string, number>>, status?: number) {
  const proxy = await openProxy(ports, status)
  ends.push(proxy.stop)
  return proxy
}

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-ca-'))
  ends.push(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'ca.pem'), text)
  return join(folder, 'ca.pem')
}

const fingerprints = (certificates: readonly string[]) =>
  new Set(certificates.map(text => new X509Certificate(text).fingerprint256))

const said: RequestListener = (request, response) => response.end(`${request.method} ${request.headers.host}`)
const outside = guardedFetch({ allowPrivateNetwork: false, totalMilliseconds: 2000, answerBytes: 1000 })
const inside = guardedFetch({ allowPrivateNetwork: true, totalMilliseconds: 2000, answerBytes: 1000 })

it('goes through the proxy, to names that only the proxy knows, with TLS to the end', async () => {
  const authority = openAuthority()
  const port = await listening(createSecure(authority.certify('tools.only.invalid'), said))
  const { url, asked } = await proxyTo({ 'tools.only.invalid:443': port })
  takeWayOut({ proxy: url.replace('//', '//me:p%40ss@'), noProxy: [], caFile: file(authority.cert) })
  const answer = await outside('https://tools.only.invalid/x')
  expect(await answer.text()).toBe('GET tools.only.invalid')
  const login = `Basic ${Buffer.from('me:p@ss').toString('base64')}`
  expect(asked).toEqual([{ target: 'tools.only.invalid:443', login }])
  // The certificate is for one name, and somebody else's is for none.
  const other = await listening(createSecure(openAuthority().certify('other.invalid'), said))
  const second = await proxyTo({ 'wrong.invalid:443': port, 'other.invalid:443': other })
  takeWayOut({ proxy: second.url, noProxy: [] })
  for (const host of ['wrong.invalid', 'other.invalid'])
    await expect(outside(`https://${host}/`)).rejects.toMatchObject({ code: 'upstream.unreachable' })
})

it('asks for a certificate of the very address, where there is no name', async () => {
  const authority = openAuthority()
  const own = await listening(createSecure(authority.certify('10.1.2.3'), said))
  const other = await listening(createSecure(authority.certify('localhost'), said))
  const { url } = await proxyTo({ '10.1.2.3:443': own, '10.1.2.4:443': other })
  takeWayOut({ proxy: url, noProxy: [], caFile: file(authority.cert) })
  expect(await (await inside('https://10.1.2.3/')).text()).toBe('GET 10.1.2.3')
  await expect(inside('https://10.1.2.4/')).rejects.toMatchObject({ code: 'upstream.unreachable' })
})

it('T085: what may not be reached directly may not be reached through the proxy', async () => {
  const { url, asked } = await proxyTo({}, 200)
  takeWayOut({ proxy: url, noProxy: [] })
  for (const host of ['127.0.0.1', '10.0.0.1', '[::1]', '169.254.169.254', '2130706433', 'localhost'])
    await expect(outside(`https://${host}/`), host).rejects.toMatchObject({
      code: 'upstream.address_refused',
    })
  await expect(inside('https://169.254.169.254/')).rejects.toMatchObject({ code: 'upstream.address_refused' })
  expect(asked).toEqual([])
})

it('reaches this machine, and what is named, without it', async () => {
  const port = await listening(createPlain(said))
  const { url, asked } = await proxyTo({})
  takeWayOut({ proxy: url, noProxy: ['*.corp.invalid', '.lab.invalid', '10.0.0.0/8'] })
  expect((await inside(`http://127.0.0.1:${port}/`)).status).toBe(200)
  expect((await inside(`http://localhost:${port}/`)).status).toBe(200)
  for (const host of ['a.corp.invalid', 'corp.invalid', 'x.y.lab.invalid'])
    await expect(outside(`https://${host}/`)).rejects.toMatchObject({ code: 'upstream.unreachable' })
  expect(asked).toEqual([])
  await expect(outside('https://notcorp.invalid/')).rejects.toMatchObject({
    code: 'upstream.unreachable',
    why: expect.stringContaining('answered 403'),
    fix: expect.stringContaining('egress.noProxy'),
  })
  expect(asked.map(({ target }) => target)).toEqual(['notcorp.invalid:443'])
})

it.each([
  ['wants another login', 'HTTP/1.1 407 Authenticate\r\n\r\n', /407/],
  ['is no proxy', 'SSH-2.0-OpenSSH\r\n\r\n', /does not answer as an HTTP proxy/],
  ['says too much', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(20_000)}`, /does not answer as an HTTP proxy/],
  ['hangs up', '', /does not answer as an HTTP proxy/],
])('says when the proxy %s', async (_, text, why) => {
  const port = await listening(
    createSocket(socket => {
      socket.on('error', () => socket.destroy())
      socket.once('data', () => socket.end(text))
    }),
  )
  takeWayOut({ proxy: `http://127.0.0.1:${port}`, noProxy: [] })
  await expect(outside('https://tools.invalid/')).rejects.toMatchObject({
    code: 'upstream.unreachable',
    why: expect.stringMatching(why),
  })
})

it('says when the proxy is not there', async () => {
  takeWayOut({ proxy: 'http://127.0.0.1:9', noProxy: [] })
  await expect(outside('https://tools.invalid/')).rejects.toMatchObject({
    why: expect.stringContaining('127.0.0.1:9 cannot be reached'),
    fix: expect.stringContaining('egress.proxy'),
  })
})

it('speaks TLS with the proxy, where it is told so', async () => {
  const authority = openAuthority()
  const port = await listening(createSecure(authority.certify('tools.invalid'), said))
  const inner = await proxyTo({ 'tools.invalid:443': port })
  const secure = createTls(authority.certify('localhost'), socket => {
    const plain = connect(Number(new URL(inner.url).port), '127.0.0.1')
    for (const each of [socket, plain]) each.on('error', () => each.destroy())
    socket.pipe(plain).pipe(socket)
  })
  takeWayOut({
    proxy: `https://localhost:${await listening(secure)}`,
    noProxy: [],
    caFile: file(authority.cert),
  })
  expect(await (await outside('https://tools.invalid/')).text()).toBe('GET tools.invalid')
})

it('trusts the authority of the file, beside the usual ones', async () => {
  const authority = openAuthority()
  const port = await listening(createSecure(authority.certify('localhost'), said))
  await expect(inside(`https://localhost:${port}/`)).rejects.toMatchObject({ code: 'upstream.unreachable' })
  takeWayOut({ noProxy: [], caFile: file(`Ours\n${authority.cert}\n${openAuthority('Other').cert}`) })
  expect(await (await inside(`https://localhost:${port}/`)).text()).toBe(`GET localhost:${port}`)
  expect(fingerprints(getCACertificates('default')).size).toBe(fingerprints(usual).size + 2)
})

it('does not start with settings that mean nothing', () => {
  const refused = (why: RegExp) =>
    expect.objectContaining({ code: 'config.invalid', why: expect.stringMatching(why) })
  expect(() => takeWayOut({ noProxy: ['10.0.0.0/40'] })).toThrow(refused(/10\.0\.0\.0\/40/))
  expect(() => takeWayOut({ proxy: 'http://me:100%@proxy', noProxy: [] })).toThrow(refused(/percent sign/))
  expect(() => takeWayOut({ noProxy: [], caFile: '/not/there.pem' })).toThrow(refused(/\/not\/there\.pem/))
  expect(() => takeWayOut({ noProxy: [], caFile: file('nothing') })).toThrow(refused(/holds none/))
  const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----'
  expect(() => takeWayOut({ noProxy: [], caFile: file(broken) })).toThrow(refused(/gives no certificates/))
})
