/** Parts of several servers as one: under names of their own, with grants of their own, in both eras. */
import type { Client } from '@modelcontextprotocol/client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { apiOf } from '../fixtures/api.ts'
import { type House, openHouse } from '../fixtures/house.ts'
import { call } from '../fixtures/http-call.ts'
import { answerOf, inEra, openSession } from '../fixtures/mcp-call.ts'
import { connect, type Mode, textOf } from '../fixtures/sdk-client.ts'

let house: House

const definition = {
  description: 'What is safe',
  access: [{ subject: 'user:stranger@example.com' }],
  sources: [
    {
      server: 'lab/echo',
      tools: [
        'write',
        { name: 'echo', as: 'say_back', description: 'Repeats', arguments: { secret: { value: 'fixed' } } },
      ],
      resources: 'all',
      prompts: 'all',
    },
    { server: 'lab/poor', tools: ['echo'] },
  ],
}

const place = '/virtual-servers/lab/safe'

beforeAll(async () => {
  house = await openHouse()
  await house.api(`PUT ${place}/draft`, definition)
  await house.api(`POST ${place}/publish`)
})

afterAll(() => house?.stop())

const requestIds = /"requestId":"[^"]+"/g
const modes: readonly Mode[] = ['legacy', 'pinned']

async function as(who: string, mode: Mode, path = 'lab/safe/server'): Promise<Client> {
  return connect({ url: `${house.url}/mcp${path === '' ? '' : `/${path}`}`, token: house.token(who), mode })
}

describe.each(modes)('a virtual server, to a %s client', mode => {
  it('has its tools under their names for those it is granted to, who need no grant on the sources', async () => {
    const client = await as('stranger', mode)
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name).sort()).toEqual(['echo', 'say_back', 'write'])
    expect(tools.find(({ name }) => name === 'say_back')).toMatchObject({ description: 'Repeats' })
    expect(tools.find(({ name }) => name === 'say_back')?.inputSchema.properties).not.toHaveProperty('secret')
    const said = await client.callTool({ name: 'say_back', arguments: {} })
    expect(textOf(said)).toBe('fixed')
    const seen = house.echo.seen.filter(({ method }) => method === 'tools/call').at(-1)
    expect(seen?.params).toMatchObject({ name: 'echo', arguments: { secret: 'fixed' } })
    await client.callTool({ name: 'echo', arguments: { secret: 'other' } })
    expect(house.poor.seen.at(-1)?.params).toMatchObject({ name: 'echo', arguments: { secret: 'other' } })
    await client.close()
  })

  it('tells the model what is wrong with an argument that is not its to give', async () => {
    const client = await as('stranger', mode)
    const said = await client.callTool({ name: 'say_back', arguments: { secret: 'mine' } })
    expect(said.isError).toBe(true)
    expect(textOf(said)).toBe('This tool takes no argument "secret"; leave it out.')
    await client.close()
  })

  it('reads the resources and gets the prompts of its sources', async () => {
    const client = await as('stranger', mode)
    const { resources } = await client.listResources()
    expect(resources.map(({ uri }) => uri)).toContain('echo://one')
    expect((await client.readResource({ uri: 'echo://one' })).contents).toHaveLength(1)
    const { prompts } = await client.listPrompts()
    expect(prompts.length).toBeGreaterThan(0)
    await client.getPrompt({ name: prompts[0]?.name ?? '', arguments: {} })
    await client.close()
  })

  it('is not there for those it is not granted to', async () => {
    await expect(as('picky', mode)).rejects.toThrow()
  })

  it('is part of everything that its user may use, at one address', async () => {
    const client = await as('stranger', mode, '')
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name).sort()).toEqual(['echo', 'say_back', 'write'])
    expect(textOf(await client.callTool({ name: 'say_back', arguments: {} }))).toBe('fixed')
    await client.close()
  })
})

describe('the list of all tools that one may use', () => {
  it('has those of virtual servers', async () => {
    const { items } = await apiOf(
      house.url,
      house.token('stranger'),
    )<{ items: { server: string; name: string }[] }>('GET /tools')
    const names = items.map(({ server, name }) => `${server} ${name}`)
    expect(names).toEqual(['lab/safe say_back', 'lab/safe write', 'lab/safe echo'])
  })
})

describe('what is not listed', () => {
  it.each(['session', 'stateless'] as const)('cannot be called in the %s era', async era => {
    const url = `${house.url}/mcp/lab/safe/server`
    const token = house.token('stranger')
    const session = era === 'session' ? await openSession(url, token) : undefined
    const ask = async (name: string) => {
      const said = { id: 1, method: 'tools/call', params: { name, arguments: {} }, session }
      const answered = await call(url, { ...inEra(era, said), token })
      return { status: answered.status, error: answerOf(answered).error }
    }
    // The source has the first, and nobody has the second.
    const reached = () => house.echo.seen.length + house.poor.seen.length
    const before = reached()
    const [hidden, unknown] = [await ask('erase'), await ask('eraze')]
    expect(hidden.error).toMatchObject({ code: -32602, message: 'Unknown tool.' })
    expect(JSON.stringify(hidden).replaceAll('erase', 'eraze').replaceAll(requestIds, 'REQUEST')).toBe(
      JSON.stringify(unknown).replaceAll(requestIds, 'REQUEST'),
    )
    expect(reached()).toBe(before)
  })
})

describe('a draft', () => {
  it('that leaves out description and access leaves both as they are', async () => {
    const { sources, description, access } = definition
    await house.api(`PUT ${place}/draft`, { sources })
    expect(await house.api(`GET ${place}`)).toMatchObject({ description, access, draft: { sources } })
    const client = await as('stranger', 'pinned')
    expect((await client.listTools()).tools).toHaveLength(3)
    await client.close()
  })

  it('that names who may use it means it at once', async () => {
    const { sources, access } = definition
    await house.api(`PUT ${place}/draft`, { sources, access: [] })
    await expect(as('stranger', 'pinned')).rejects.toThrow()
    await house.api(`PUT ${place}/draft`, { sources, access })
    await (await as('stranger', 'pinned')).close()
  })
})

describe('a virtual server that is written wrongly', () => {
  it('is not published, and both of those who clash are named', async () => {
    const sources = [
      { server: 'lab/echo', tools: [{ name: 'echo', as: 'same' }] },
      { server: 'lab/poor', tools: [{ name: 'echo', as: 'same' }] },
    ]
    const at = '/virtual-servers/lab/wrong'
    await house.api(`PUT ${at}/draft`, { sources })
    await expect(house.api(`POST ${at}/publish`)).rejects.toThrow(
      /409 .*servers\.name_clash.*lab\/echo echo and lab\/poor echo/s,
    )
  })
})
