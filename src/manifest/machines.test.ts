import { expect, it } from 'vitest'
import { onEachDatabase } from '../../test/fixtures/databases.ts'
import { keyPair } from '../../test/fixtures/machines.ts'
import { openRooms } from '../../test/fixtures/rooms.ts'

const { jwk } = keyPair('k1')
const issuer = 'https://token.actions.githubusercontent.com'
const provider = (use: string) => `
identityProviders:
  - name: github
    issuer: ${issuer}
    use: { ${use} }
`
const account = (credentials: object | undefined) =>
  `virtualAccounts: ${JSON.stringify([{ name: 'nightly', ...(credentials && { credentials }) }])}\n`
const workloads = [{ issuer, subject: 'repo:acme/app:ref:refs/heads/main', claims: { owner: 'acme' } }]

onEachDatabase(open => {
  async function rooms() {
    const made = await openRooms(await open())
    const caller = made.identity.operator()
    const apply = (text: string) =>
      made.manifest.apply({ caller, requestId: 'r1', text, secrets: {}, dryRun: false, prune: false })
    const shown = () => made.ask<Record<string, unknown>>('GET /accounts/nightly/credentials')
    return { ...made, apply, shown }
  }

  it('keys and workloads stand in it, secrets do not, and what it exports changes nothing', async () => {
    const { apply, ask, shown, manifest: plane } = await rooms()
    await apply(provider('workloads: true') + account({ keys: [jwk], workloads, dpop: 'required' }))
    const { secret } = await ask<{ secret: string }>('POST /accounts/nightly/secrets', {})
    expect(await shown()).toMatchObject({
      clientId: 'account.nightly',
      keys: [jwk],
      workloads: [{ ...workloads[0], mayRepeat: false }],
      dpop: 'required',
      secrets: [{ hint: expect.stringMatching(/^gth_ocs_\.\.\./) }],
    })
    const exported = await plane.export()
    expect(exported).not.toContain(secret)
    expect(new Set((await apply(exported)).plan.map(({ action }) => action))).toEqual(new Set(['keep']))
  })

  it('what it leaves out is taken away, but for secrets', async () => {
    const { apply, ask, shown } = await rooms()
    await apply(account({ keys: [jwk] }))
    await ask('POST /accounts/nightly/secrets', {})
    const { plan } = await apply(account(undefined))
    expect(plan.map(({ action, name }) => `${action} ${name}`)).toEqual(['update nightly'])
    const left = await shown()
    expect(left).not.toHaveProperty('keys')
    expect(left.secrets).toHaveLength(1)
  })

  it('a workload of nobody who is allowed any is refused, and nothing is changed', async () => {
    const { apply, ask } = await rooms()
    for (const before of ['', provider('bearer: [mcp]')])
      await expect(apply(before + account({ workloads }))).rejects.toThrow()
    expect(await ask<{ items: unknown[] }>('GET /accounts')).toMatchObject({ items: [] })
  })

  it('a private key is refused', async () => {
    const { apply } = await rooms()
    await expect(apply(account({ keys: [{ ...jwk, d: 'AAAA' }] }))).rejects.toThrow()
  })
})
