import { expect, it } from 'vitest'
import { jsonOnly } from './json-only.ts'

const answering = (status: number, type?: string) =>
  jsonOnly(
    async () => new Response('{}', { status, headers: type === undefined ? {} : { 'content-type': type } }),
  )

it.each(['application/json', 'application/json; charset=utf-8', 'application/jwk-set+json'])(
  'reads %s',
  async type => {
    expect((await answering(200, type)('https://a.example')).status).toBe(200)
  },
)

it.each(['text/html', 'text/plain', 'application/jsonp', 'text/html, application/json', ''])(
  'T040: does not read %j',
  async type => {
    await expect(answering(200, type)('https://a.example')).rejects.toMatchObject({
      code: 'http.bad_content_type',
    })
  },
)

it('leaves what is no success to whoever asked', async () => {
  expect((await answering(404, 'text/html')('https://a.example')).status).toBe(404)
})
