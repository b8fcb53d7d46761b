import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { guardedFetch } from './guarded-fetch.ts'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

async function serve(listener: RequestListener): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    listener(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const rules = { allowPrivateNetwork: true, totalMilliseconds: 2000, answerBytes: 1000 }

it('sends and answers like fetch', async () => {
  const { url } = await serve(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    response.writeHead(201, [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-type', String(request.headers['content-type'])],
    ])
    response.end(body)
  })
  const answer = await guardedFetch(rules)(`${url}/x?y=1`, {
    method: 'POST',
    body: new URLSearchParams({ a: 'b c' }),
  })
  expect(answer.status).toBe(201)
  expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  expect(answer.headers.get('x-type')).toContain('application/x-www-form-urlencoded')
  expect(await answer.text()).toBe('a=b+c')
})

it('gives the redirect, and does not follow it', async () => {
  const { url, asked } = await serve((_, response) =>
    response.writeHead(302, { location: '/elsewhere' }).end(),
  )
  const answer = await guardedFetch(rules)(`${url}/here`)
  expect([answer.status, answer.headers.get('location')]).toEqual([302, '/elsewhere'])
  expect(asked).toEqual(['GET /here'])
})

it('T085: reaches nothing private unless it may', async () => {
  const { url, asked } = await serve((_, response) => response.end('inside'))
  const fetch = guardedFetch({ ...rules, allowPrivateNetwork: false })
  const port = new URL(url).port
  const refused = { code: 'upstream.address_refused' }
  for (const host of ['127.0.0.1', '2130706433', '0x7f.1', '[::1]', '[::ffff:127.0.0.1]', 'localhost'])
    for (const scheme of ['http', 'https'])
      await expect(fetch(`${scheme}://${host}:${port}/`), `${scheme} ${host}`).rejects.toMatchObject(refused)
  await expect(fetch('http://example.com/')).rejects.toMatchObject(refused)
  await expect(fetch('file:///etc/passwd')).rejects.toMatchObject(refused)
  await expect(guardedFetch(rules)(`http://me:secret@127.0.0.1:${port}/`)).rejects.toThrow()
  await expect(guardedFetch(rules)('http://10.0.0.1/')).rejects.toMatchObject(refused)
  expect(asked).toEqual([])
})

it('cuts what is too large, and what trickles for ever', async () => {
  const large = await serve((_, response) => response.end('x'.repeat(1001)))
  await expect(guardedFetch(rules)(large.url)).rejects.toMatchObject({ code: 'upstream.too_large' })
  const slow = await serve((_, response) => {
    const drip = setInterval(() => response.write('x'), 20)
    ends.push(() => clearInterval(drip))
  })
  const fetch = guardedFetch({ ...rules, totalMilliseconds: 150 })
  await expect(fetch(slow.url)).rejects.toMatchObject({ code: 'upstream.timeout' })
})

it('says when nobody is there', async () => {
  const { url } = await serve((_, response) => response.end())
  ends.splice(0).forEach(end => {
    end()
  })
  await expect(guardedFetch(rules)(url)).rejects.toMatchObject({ code: 'upstream.unreachable' })
})
