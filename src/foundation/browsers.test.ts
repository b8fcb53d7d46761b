import { expect, it } from 'vitest'
import { openBrowsers } from './browsers.ts'
import { openCookies } from './cookies.ts'

const cookies = openCookies({ isSecure: () => true })
const browsers = openBrowsers(cookies, Buffer.alloc(32, 1))
const from = (...cookie: string[]) => browsers.markOf({ headersDistinct: { cookie } })
const form = (token: string) => new Map([['form_token', token]])

it('knows a browser again by its cookie', () => {
  const first = from()
  expect(first.cookie).toMatch(
    /^__Host-gatehouse_browser=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; .*; Secure$/,
  )
  expect(from(`__Host-gatehouse_browser=${first.mark}`).mark).toBe(first.mark)
  expect(from().mark).not.toBe(first.mark)
})

it('T033: takes a form from the browser it was made for, and from no other', () => {
  const [one, two] = [from().mark, from().mark]
  expect(browsers.checkForm(one, form(browsers.formToken(one)))).toBeUndefined()
  const refused = expect.objectContaining({ code: 'identity.form_refused' })
  expect(() => browsers.checkForm(two, form(browsers.formToken(one)))).toThrow(refused)
  expect(() => browsers.checkForm(one, new Map())).toThrow(refused)
  const other = openBrowsers(cookies, Buffer.alloc(32, 2))
  expect(() => browsers.checkForm(one, form(other.formToken(one)))).toThrow(refused)
})

it('T126: gives a new mark for one that it did not make, or that is there twice', () => {
  for (const value of ['', 'x', 'a'.repeat(42), `${'a'.repeat(43)}"`, 'a'.repeat(5000)])
    expect(from(`__Host-gatehouse_browser=${value}`).mark).not.toBe(value)
  const mark = 'a'.repeat(43)
  const pair = `__Host-gatehouse_browser=${mark}`
  expect(from(`${pair}; ${pair}`).mark).not.toBe(mark)
  expect(from(pair, pair).mark).not.toBe(mark)
  expect(from(`gatehouse_browser=${mark}`).mark).not.toBe(mark)
})
