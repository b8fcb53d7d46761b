import { z } from 'zod'
import { fail } from '../../foundation/errors.ts'
import { type Route, route } from '../../foundation/route.ts'
import { type Act, change, type Room } from '../room.ts'
import { isoTime, listed, listOf, nameSchema } from '../schemas.ts'
import { type From, teamByName } from '../table.ts'
import { knownProvider, putProvider, removeProvider } from './changes.ts'
import { changedInput, changesSchema, type ProviderInput, providerFields } from './provider.ts'
import { type ProviderRow, peopleByProvider, providerRows } from './provider-table.ts'
import { type Providers, providerOf } from './store.ts'
import { composeProvider, type Secrets, type StoredProvider, storedProvider } from './stored.ts'
import { isWell, stepView, tryOut } from './try-out.ts'

const byName = z.object({ name: nameSchema })

const secrets = z
  .record(z.string().regex(/^(?:env:|file:)/), z.string().max(65_536))
  .default({})
  .describe('Values of the references in the body, by env:NAME and file:/path.')

const view = z.object({
  ...providerFields.omit({ clientSecret: true }).shape,
  hasClientSecret: z.boolean(),
  people: z.number().int().describe('How many people come from it.'),
  createdAt: z.iso.datetime(),
})

type View = z.infer<typeof view>

function viewOf(row: ProviderRow, people: ReadonlyMap<string, number>): View {
  const { clientSecret, ...input } = storedProvider(row).input
  const { algorithms, claims, title } = providerOf(row)
  return {
    ...{
      ...input,
      title,
      algorithms: [...algorithms] as View['algorithms'],
      claims: { ...claims, attributes: { ...claims.attributes } },
    },
    hasClientSecret: clientSecret !== undefined,
    people: people.get(row.id) ?? 0,
    createdAt: isoTime(row.created_at),
  }
}

async function one(from: From, name: string): Promise<View> {
  return viewOf(await knownProvider(from, name), await peopleByProvider(from))
}

const target = (name: string) => `identity-provider:${name}`

export function providerRoutes(room: Room, providers: Providers): Route[] {
  return [listProviders(room), create(room), get(room), alter(room), remove(room), test(providers)]
}

function listProviders({ database: { kysely } }: Room): Route {
  return route({
    method: 'GET',
    path: '/api/v1/identity-providers',
    summary: 'List identity providers',
    entry: 'auditor',
    answer: listOf(view),
    async act() {
      const people = await peopleByProvider(kysely)
      const rows = (await providerRows(kysely)).filter(row => row.removed_at === null)
      const why = 'No identity provider has been added yet: people come in with tokens of the gateway only.'
      return listed(
        rows.map(row => viewOf(row, people)),
        why,
      )
    },
  })
}

function create(room: Room): Route {
  return route({
    method: 'POST',
    path: '/api/v1/identity-providers',
    summary: 'Add an identity provider',
    entry: 'admin',
    stepUp: true,
    status: 201,
    body: providerFields.extend({ secrets }),
    answer: view,
    act({ caller, requestId, body: { secrets, ...input } }) {
      const act: Act = {
        caller,
        requestId,
        action: 'identity.create_provider',
        target: target(input.name),
        detail: told(input),
      }
      return change(room, act, async tx => {
        if ((await providerRows(tx)).some(({ name }) => name === input.name))
          fail('http.conflict', { why: `The identity provider ${input.name} exists.` })
        await put(room, tx, input, { secrets, previous: undefined })
        return one(tx, input.name)
      })
    },
  })
}

type Putting = { readonly secrets: Secrets; readonly previous: StoredProvider | undefined }

async function put(room: Room, tx: From, input: ProviderInput, how: Putting): Promise<void> {
  const { bound } = input
  if (bound !== undefined && 'team' in bound && (await teamByName(tx, bound.team)) === undefined)
    fail('identity.unknown', {
      why: `There is no team ${bound.team}.`,
      fix: `Make it first: gatehouse team add ${bound.team}.`,
    })
  await putProvider(tx, composeProvider(room.sealSecret, input, how), room.clock.now())
}

/** What the audit says of it. */
function told({ clientSecret, ...input }: Partial<ProviderInput>): Record<string, unknown> {
  return clientSecret === undefined ? input : { ...input, clientSecret: '[secret]' }
}

function get({ database: { kysely } }: Room): Route {
  return route({
    method: 'GET',
    path: '/api/v1/identity-providers/{name}',
    summary: 'Show an identity provider',
    entry: 'auditor',
    params: byName,
    answer: view,
    act: ({ params }) => one(kysely, params.name),
  })
}

function alter(room: Room): Route {
  return route({
    method: 'PATCH',
    path: '/api/v1/identity-providers/{name}',
    summary:
      'Change an identity provider. What is left out stays; what is named is replaced whole; null takes it away.',
    entry: 'admin',
    stepUp: true,
    params: byName,
    body: changesSchema.extend({ secrets }),
    answer: view,
    act({ caller, requestId, params: { name }, body: { secrets, ...changes } }) {
      const detail = told(changes as Partial<ProviderInput>)
      const act: Act = { caller, requestId, action: 'identity.update_provider', target: target(name), detail }
      return change(room, act, async tx => {
        const previous = storedProvider(await knownProvider(tx, name))
        await put(room, tx, changedInput(previous.input, changes), { secrets, previous })
        return one(tx, name)
      })
    },
  })
}

function remove(room: Room): Route {
  return route({
    method: 'DELETE',
    path: '/api/v1/identity-providers/{name}',
    summary: 'Remove an identity provider; refused while people come from it, unless they are to be disabled',
    entry: 'admin',
    stepUp: true,
    params: byName,
    query: z.strictObject({ people: z.enum(['disable']).optional() }),
    act({ caller, requestId, params: { name }, query: { people } }) {
      const act: Act = {
        caller,
        requestId,
        action: 'identity.delete_provider',
        target: target(name),
        detail: { people },
      }
      return change(room, act, tx => removeProvider(tx, name, { now: room.clock.now(), people }))
    },
  })
}

function test(providers: Providers): Route {
  return route({
    method: 'POST',
    path: '/api/v1/identity-providers/{name}/test',
    summary: 'Look at an identity provider step by step: what works, and what does not',
    entry: 'admin',
    status: 200,
    params: byName,
    answer: z.object({ isWell: z.boolean(), steps: z.array(stepView) }),
    async act({ params: { name } }) {
      const provider =
        providers.byName(name) ??
        fail('identity.provider_unknown', { why: `There is no identity provider ${name}.` })
      const steps = await tryOut(provider)
      return { isWell: isWell(steps), steps }
    },
  })
}
