import { describe, expect, it } from 'vitest'
import { openTestVault } from '../../test/fixtures/vault.ts'
import { type Asker, noAuth, type SealedValues, type StoredAuth, type Upstream } from '../upstreams/index.ts'
import { authTypes } from './auth-types/index.ts'

const vault = openTestVault()
const reference = (name: string) => `\${${name}}`
const place = (secrets: Record<string, string> = {}) => ({
  group: 'eng',
  server: 'my-db',
  serverId: 's1',
  secrets,
  transport: 'streamable-http' as const,
})
const ana: Asker = { id: 'ana', kind: 'user', subjects: [] }
const headers = (values: Record<string, string>) => ({ kind: 'headers', headers: values })
const refused = (code: string, why = '') =>
  expect.objectContaining({ code, why: expect.stringContaining(why) })

function upstream(auth: StoredAuth, env: SealedValues = {}, id = 's1'): Upstream {
  return {
    id,
    group: 'eng',
    name: 'my-db',
    description: '',
    transport: { kind: 'stdio', command: 'npx', args: [], env, instance: 'shared', idleSeconds: 600 },
    auth,
    policy: { default: 'allow', allow: [], deny: [] },
    version: 1,
  }
}

function sealed(values: Record<string, string>, secrets: Record<string, string> = {}, previous?: StoredAuth) {
  const stored = vault.sealAuth(headers(values), place(secrets), previous)
  return stored
}

describe('equip', () => {
  it('opens what was sealed, once for each server object', async () => {
    const stored = sealed(
      { Authorization: `Bearer ${reference('env:T')}`, 'X-Region': 'eu' },
      { 'env:T': 'top' },
    )
    const server = upstream(stored)
    const equipped = await vault.equip(server, ana)
    expect(equipped).toMatchObject({ upstream: server, principalId: 'ana' })
    expect(equipped.headers).toEqual(['Authorization', 'Bearer top', 'X-Region', 'eu'])
    expect((await vault.equip(server, { ...ana, id: 'bo' })).headers).toBe(equipped.headers)
    expect(JSON.stringify(stored)).not.toContain('top')
  })

  it('sends nothing for kind none', async () => {
    expect((await vault.equip(upstream(noAuth), ana)).headers).toEqual([])
  })

  it('opens nothing that was sealed for another server, header or purpose', async () => {
    const stored = sealed({ 'X-A': 'a', 'X-B': 'b' })
    const { 'headers.X-A': a, 'headers.X-B': b } = stored.secrets
    if (!a || !b) throw new Error('not sealed')
    const wrong = [
      upstream(stored, {}, 's2'),
      upstream({ ...stored, secrets: { 'headers.X-A': b, 'headers.X-B': a } }),
    ]
    for (const server of wrong)
      await expect(async () => vault.equip(server, ana)).rejects.toThrow(refused('vault.unsealable'))
    const moved = await vault.equip(upstream(noAuth, { 'X-A': a }), ana)
    expect(() => moved.environment()).toThrow(refused('vault.unsealable'))
  })

  it('opens the environment of a process when it is asked for', async () => {
    const env = vault.sealEnvironment(
      { DB_PASSWORD: reference('file:/p'), LOG: 'info' },
      place({ 'file:/p': 'pw\n' }),
    )
    expect((await vault.equip(upstream(noAuth, env), ana)).environment()).toEqual({
      DB_PASSWORD: 'pw',
      LOG: 'info',
    })
  })
})

describe('sealAuth', () => {
  it('keeps references, shows what is no secret, and hides literal secrets behind a placeholder', () => {
    const stored = sealed(
      {
        Authorization: 'Bearer abc',
        'X-Api-Key': reference('env:K'),
        'X-Region': 'eu',
        'X-Odd': 'ghp_0123456789abcdef0123',
      },
      { 'env:K': 'k' },
    )
    expect(
      Object.entries(stored.secrets).map(([name, { text }]) => [name.replace('headers.', ''), text]),
    ).toEqual([
      ['Authorization', reference('env:GATEHOUSE_SECRET_ENG_MY_DB_AUTHORIZATION')],
      ['X-Api-Key', reference('env:K')],
      ['X-Region', 'eu'],
      ['X-Odd', reference('env:GATEHOUSE_SECRET_ENG_MY_DB_X_ODD')],
    ])
  })

  it('keeps the seal of what does not change, and makes a new one for what does', () => {
    const text = { Authorization: reference('env:T') }
    const first = sealed(text, { 'env:T': 'one' })
    expect(sealed(text, { 'env:T': 'one' }, first)).toEqual(first)
    expect(sealed(text, { 'env:T': 'two' }, first)).not.toEqual(first)
    expect(sealed({ Authorization: reference('env:U') }, { 'env:U': 'one' }, first)).not.toEqual(first)
  })

  it('leaves a literal secret alone when its placeholder comes back without a value', async () => {
    const first = sealed({ Authorization: 'Bearer abc' })
    const placeholder = 'env:GATEHOUSE_SECRET_ENG_MY_DB_AUTHORIZATION'
    const back = { Authorization: reference(placeholder) }
    expect(sealed(back, {}, first)).toEqual(first)
    expect((await vault.equip(upstream(sealed(back, { [placeholder]: 'new' }, first)), ana)).headers).toEqual(
      ['Authorization', 'new'],
    )
    expect(() => sealed(back)).toThrow(refused('vault.secret_missing', placeholder))
  })

  it('carries a secret over to no other authorization server', () => {
    const auth = {
      kind: 'client-credentials',
      clientId: 'g',
      clientSecret: 'hush',
      tokenUrl: 'https://a.example/t',
    }
    const first = vault.sealAuth(auth, place())
    const shown = vault.showAuth(first)
    expect(vault.sealAuth(shown, place(), first)).toEqual(first)
    const moved = { ...(shown as object), tokenUrl: 'https://evil.example/t' }
    expect(() => vault.sealAuth(moved, place(), first)).toThrow(refused('vault.secret_missing'))
  })

  it('replaces a secret that cannot be opened any more', async () => {
    const lost: StoredAuth = {
      kind: 'headers',
      settings: {},
      secrets: { 'headers.Authorization': { sealed: 'AAAA', text: reference('env:T') } },
    }
    const anew = sealed({ Authorization: reference('env:T') }, { 'env:T': 'x' }, lost)
    expect((await vault.equip(upstream(anew), ana)).headers).toEqual(['Authorization', 'x'])
  })

  it('refuses missing secrets, bad headers and kinds it does not know', () => {
    expect(() => sealed({ Authorization: reference('env:T') })).toThrow(
      refused('vault.secret_missing', 'env:T'),
    )
    expect(() => sealed({ Host: 'x' })).toThrow(refused('vault.header_refused', 'Host'))
    expect(() => sealed({ 'X-Key': reference('env:K') }, { 'env:K': 'a\r\nHost: x' })).toThrow(
      refused('vault.header_refused', 'X-Key'),
    )
    expect(() => sealed({})).toThrow(refused('http.bad_request', 'at least one header'))
    expect(() => vault.sealAuth({ kind: 'kerberos' }, place())).toThrow(refused('http.bad_request', 'oauth2'))
    expect(() => vault.sealAuth({ kind: 'oauth2' }, { ...place(), transport: 'stdio' })).toThrow(
      refused('http.bad_request', 'transport.env'),
    )
    expect(() => vault.sealAuth({ kind: 'none', headers: {} }, place())).toThrow(refused('http.bad_request'))
  })
})

describe.each(authTypes.members.map(member => [member.kind, member] as const))(
  'the auth type %s',
  (kind, member) => {
    const url = 'https://auth.example.com'
    const examples: Record<string, unknown> = {
      none: { kind: 'none' },
      headers: {
        ...headers({ 'X-A': 'a {{KEY}}' }),
        credentials: 'per-user',
        fields: { KEY: { title: 'Key' } },
      },
      environment: { kind: 'environment', environment: { A: '{{KEY}}' }, credentials: 'per-team' },
      oauth2: { kind: 'oauth2', scopes: ['repo'], issuer: url, clientId: 'g', clientSecret: 's' },
      'aws-sigv4': {
        kind: 'aws-sigv4',
        region: 'eu-central-1',
        service: 'bedrock-agentcore',
        accessKeyId: '{{ID}}',
        secretAccessKey: '{{SECRET}}',
        credentials: 'per-user',
      },
      'client-credentials': { kind: 'client-credentials', clientId: 'g', privateKey: 'k', resource: false },
      'token-exchange': { kind: 'token-exchange', identityProvider: 'acme', audience: 'api://notes' },
      'id-jag': { kind: 'id-jag', identityProvider: 'acme', clientId: 'g', clientSecret: 's' },
      'pass-through': { kind: 'pass-through', identityProvider: 'acme', audience: 'api://notes' },
    }

    it('takes apart what people write, and puts it together again', () => {
      const written = member.apart(member.config.parse(examples[kind]))
      expect(member.together(written)).toEqual(examples[kind])
      expect(JSON.stringify(written.settings)).not.toMatch(
        /"(clientSecret|privateKey|headers|environment|secretAccessKey)"/,
      )
      expect(member.title).not.toBe('')
    })
  },
)
