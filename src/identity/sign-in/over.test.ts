/** What people begin is good for minutes. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openCompanyOffice, startCompany } from '../../../test/fixtures/company-office.ts'
import { directories } from '../../../test/fixtures/databases.ts'
import type { Office } from '../../../test/fixtures/identity.ts'
import type { IdentityProviderProcess } from '../../../test/fixtures/identity-provider.ts'
import { type Database, openDatabase } from '../../database/index.ts'

const newDirectory = directories()
const minute = 60_000
const arriving = { requestId: 'r1', address: '127.0.0.1', client: 'test', before: undefined }
let company: IdentityProviderProcess
let database: Database
let office: Office

beforeAll(async () => {
  company = await startCompany()
  database = await openDatabase({ dataDir: newDirectory() })
  office = await openCompanyOffice(database, company, {
    use: { signIn: true, bearer: [] },
    clientId: 'gate',
    clientSecret: 'gate-secret-gate-secret-gate',
  })
})
afterAll(async () => {
  await database?.close()
  await company?.stop()
})

const refusals = () => office.audit.events.filter(({ outcome }) => outcome === 'rejected').length

it('T035: a sign-in at a provider for ten minutes; then it is refused before anything is asked there', async () => {
  const { atProviders } = office.identity.signIn
  const begun = async () => {
    const beginning = { mark: 'm', origin: 'https://gate.example', onTo: '/', isAgain: false }
    return new URL(await atProviders.begin('acme', beginning)).searchParams.get('state') ?? ''
  }
  const finish = (state: string) => {
    const query = new Map([
      ['state', state],
      ['iss', company.issuer],
      ['error', 'access_denied'],
    ])
    return atProviders.finish({ mark: 'm', query }, arriving)
  }
  const [soon, late] = [await begun(), await begun()]
  office.clock.move(10 * minute - 1)
  await expect(finish(soon)).rejects.toMatchObject({ code: 'identity.sign_in_refused' })
  office.clock.move(1)
  const before = refusals()
  const asked = (await company.seen()).requests.filter(line => !line.includes('/control/')).length
  await expect(finish(late)).rejects.toMatchObject({ code: 'identity.flow_over' })
  expect((await company.seen()).requests.filter(line => !line.includes('/control/'))).toHaveLength(asked)
  expect(refusals()).toBe(before + 1)
})

it('a link for a quarter of an hour, to look at and to use', async () => {
  await office.ask('POST /users', { email: 'bo@example.com' })
  const { links } = office.identity.signIn
  const by = { caller: office.identity.operator(), requestId: 'r1' }
  const { secret } = await links.make('bo@example.com', by)
  office.clock.move(15 * minute - 1)
  expect(await links.look(secret)).toEqual({ email: 'bo@example.com' })
  office.clock.move(1)
  await expect(links.look(secret)).rejects.toMatchObject({ code: 'identity.link_refused' })
  await expect(links.use(secret, arriving)).rejects.toMatchObject({ code: 'identity.link_refused' })
})

it('a passkey that is asked for, for five minutes', async () => {
  const { passkeys } = office.identity.signIn
  const { flow } = await passkeys.beginSignIn('https://gate.example')
  const { flow: late } = await passkeys.beginSignIn('https://gate.example')
  office.clock.move(5 * minute - 1)
  const answer = (which: string) => passkeys.finishSignIn({ flow: which, response: '{}' }, arriving)
  await expect(answer(flow)).rejects.toMatchObject({ code: 'identity.passkey_refused' })
  office.clock.move(1)
  await expect(answer(late)).rejects.toMatchObject({ code: 'identity.flow_over' })
})
