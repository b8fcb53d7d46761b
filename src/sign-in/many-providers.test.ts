/** Where there are many identity providers, people say their address first. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type GatewayInside, openGatewayInside } from '../../test/fixtures/gateway-inside.ts'

let gateway: GatewayInside

beforeAll(async () => {
  gateway = await openGatewayInside()
  for (const name of ['acme', 'beta', 'corp', 'delta', 'echo', 'foxtrot'])
    await gateway.operator('POST /identity-providers', {
      ...{ name, title: `Company ${name}`, issuer: `https://id.${name}.example`, clientId: 'gate' },
      ...{ domains: [`${name}.example`, `mail.${name}.example`], use: { signIn: true } },
    })
  await gateway.operator('POST /users', { email: 'known@nowhere.example' })
})
afterAll(() => gateway.stop())

/** Without what is another for each visit. */
async function shown(query: string): Promise<string> {
  const page = await fetch(`${gateway.url}/sign-in${query}`)
  expect(page.status).toBe(200)
  return (await page.text()).replaceAll(/nonce-[\w+/=-]+|value="[^"]*"/g, '')
}

it('lists nobody, and asks for the address', async () => {
  const page = await shown('')
  expect(page).toContain('Your e-mail address at work')
  for (const name of ['acme', 'foxtrot']) expect(page).not.toContain(name)
})

it.each(['ana@acme.example', 'ANA@Acme.Example', 'nobody@mail.acme.example'])(
  'leads %s to the company of the domain, and goes on to where they were going',
  async email => {
    const page = await shown(`?${new URLSearchParams({ email, return: '/account#x', again: '1' })}`)
    expect(page).toContain('Sign in with Company acme')
    expect(page).toMatch(/href="\/sign-in\/acme\?return=[^"]*account[^"]*again=1"/)
    expect(page).not.toContain('Company beta')
  },
)

it('tells nothing of who is known: only the domain counts', async () => {
  const ask = (email: string) => shown(`?${new URLSearchParams({ email })}`)
  expect(await ask('known@nowhere.example')).toBe(await ask('unknown@nowhere.example'))
  expect(await ask('ana@acme.example')).toBe(await ask('nobody-at-all@acme.example'))
  for (const odd of [
    'ana@acme.example.evil',
    'acme.example@evil',
    'x@sub.acme.example',
    '@',
    '"><script>',
    'a'.repeat(9000),
  ]) {
    const page = await ask(odd)
    expect(page).toContain('No identity provider here is for that address')
    expect(page).not.toContain('Company acme')
    expect(page).not.toContain('<script>')
  }
})
