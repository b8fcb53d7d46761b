import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { openRooms } from '../../test/fixtures/rooms.ts'

const secretReference = `\${env:ACME_SECRET}`
const manifest = `
identityProviders:
  - name: acme
    preset: okta
    issuer: https://acme.okta.com
    clientId: gate
    clientSecret: ${secretReference}
    use: { signIn: true, bearer: [mcp] }
    domains: [acme.example]
    teams: { prefix: gate- }
  - name: tenant
    issuer: https://login.tenant.example
    use: { bearer: [mcp] }
    bound: { team: tenant }
teams:
  - name: tenant
`

onEachDatabase(open => {
  async function rooms() {
    const made = await openRooms(await open())
    const apply = (text: string, how: { dryRun?: boolean; prune?: boolean; secret?: string } = {}) =>
      made.manifest.apply({
        caller: made.identity.operator(),
        requestId: 'r1',
        text,
        secrets: { 'env:ACME_SECRET': how.secret ?? 'top-secret' },
        dryRun: how.dryRun ?? false,
        prune: how.prune ?? false,
      })
    const lines = ({ plan }: Awaited<ReturnType<typeof apply>>) =>
      plan.map(({ action, kind, name }) => `${action} ${kind} ${name}`)
    return { ...made, apply, lines }
  }

  it('makes them, keeps them, and exports what changes nothing', async () => {
    const { apply, lines, identity, manifest: plane, audit } = await rooms()
    expect(lines(await apply(manifest, { dryRun: true }))).toEqual([
      'create identityProvider acme',
      'create identityProvider tenant',
      'create team tenant',
    ])
    expect(identity.providers.list()).toEqual([])
    await apply(manifest)
    const acme = identity.providers.byIssuer('https://acme.okta.com')
    if (acme === undefined) throw new Error('no provider')
    expect((await identity.providers.clientSecret(acme))?.reveal()).toBe('top-secret')
    const exported = await plane.export()
    expect(exported).toContain(secretReference)
    expect(exported + JSON.stringify(audit.events)).not.toContain('top-secret')
    expect(new Set((await apply(exported)).plan.map(({ action }) => action))).toEqual(new Set(['keep']))
  })

  it('says what changes, and of a secret that it does', async () => {
    const { apply } = await rooms()
    await apply(manifest)
    const { plan } = await apply(manifest.replace('acme.example', 'acme.test'), {
      secret: 'another',
      dryRun: true,
    })
    expect(plan[0]).toMatchObject({
      action: 'update',
      changes: [
        { path: 'domains', from: ['acme.example'], to: ['acme.test'] },
        { path: 'clientSecret', from: '[secret]', to: '[secret]' },
      ],
    })
  })

  it('refuses what does not go together, with lines', async () => {
    const { apply } = await rooms()
    const problemsOf = async (text: string) => {
      const error = await apply(text).then(
        () => undefined,
        (thrown: { data?: { problems?: { line: number; path: string; why: string }[] } }) => thrown,
      )
      return error?.data?.problems?.map(({ line, path, why }) => `${line} ${path} ${why}`) ?? []
    }
    const one = (rest: string) => `identityProviders:\n  - name: a\n    issuer: https://a.example\n${rest}`
    for (const [text, found] of [
      [one('    use: { signIn: true }'), 'clientId'],
      [one('    use: { bearer: [api] }'), 'audiences'],
      [one('    bound: { team: nobody }'), 'There is no team nobody'],
      [one('    preset: okat'), 'preset'],
      [one('    algorithms: [HS256]'), 'algorithms'],
      [one('    endpoints: { jwksUri: "http://a.example/keys" }'), 'https'],
      ['identityProviders:\n  - { name: a, issuer: "http://a.example" }', 'https'],
      ['identityProviders:\n  - { name: a, issuer: "https://a.example/?x" }', 'query'],
      [
        'identityProviders:\n  - { name: a, preset: entra, issuer: "https://login.microsoftonline.com/common/v2.0" }',
        'tenant',
      ],
      [one(`    clientId: b\n    clientSecret: \${env:OTHER}`), 'OTHER'],
    ] as const)
      expect((await problemsOf(text)).join('\n'), text).toContain(found)
    const twins =
      'identityProviders:\n  - { name: a, issuer: "https://a.example", domains: [x.example] }\n  - { name: b, issuer: "https://b.example", domains: [x.example] }'
    await expect(apply(twins)).rejects.toMatchObject({ code: 'http.conflict' })
    await apply(manifest)
    expect(await problemsOf(manifest.replace('https://acme.okta.com', 'https://other.okta.com'))).toEqual([
      expect.stringContaining('its people are known by it'),
    ])
  })

  it('leaves people whom a provider brings, with their teams, and prunes providers only without people', async () => {
    const { apply, lines, identity, ask } = await rooms()
    await apply(manifest)
    const acme = identity.providers.byName('acme')
    const tenant = identity.providers.byName('tenant')
    if (acme === undefined || tenant === undefined) throw new Error('no provider')
    const claims = { sub: 'a', email: 'ana@acme.example', email_verified: true, groups: ['gate-crew'] }
    await identity.admit(acme, claims, { via: 'sign-in', requestId: 'r1' })
    await identity.admit(tenant, { sub: 't' }, { via: 'sign-in', requestId: 'r1' })
    const plan = lines(await apply('users: []\nteams: [{ name: tenant }, { name: crew }]', { prune: true }))
    expect(plan).toEqual(['keep team crew', 'keep team tenant'])
    const { items } = await ask<{ items: { members: string[] }[] }>('GET /teams')
    expect(items.map(({ members }) => members.length)).toEqual([1, 1])
    await expect(apply('identityProviders: []', { prune: true })).rejects.toMatchObject({
      code: 'http.conflict',
    })
    await ask('DELETE /users/ana@acme.example')
    const rest =
      manifest.slice(0, manifest.indexOf('  - name: acme')) +
      manifest.slice(manifest.indexOf('  - name: tenant'))
    expect(lines(await apply(rest, { prune: true }))).toContain('delete identityProvider acme')
  })
})
