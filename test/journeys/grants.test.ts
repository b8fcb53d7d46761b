/** What a grant or a policy leaves out is as if it were not there, by every way to it. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { methods } from '../../src/mcp/index.ts'
import { comparable, type House, openHouse } from '../fixtures/house.ts'
import { call, open } from '../fixtures/http-call.ts'
import { answerOf, type Era, eventsOf, inEra, openSession, textOf } from '../fixtures/mcp-call.ts'

let house: House

beforeAll(async () => {
  house = await openHouse()
})

afterAll(() => house?.stop())

const at = (server: string) => `${house.url}/mcp/${server}/server`
const uri = 'echo://one'

async function sees(
  server: string,
  who: string,
  asked: { era: Era; method: string; params?: Record<string, unknown> },
) {
  const { era, method, params } = asked
  const session = era === 'session' ? await openSession(at(server), house.token(who)) : undefined
  const said = { id: 3, method, session, ...(params === undefined ? {} : { params }) }
  return call(at(server), { ...inEra(era, said), token: house.token(who) })
}

async function toolsOf(server: string, who: string, era: Era): Promise<unknown> {
  const { result } = answerOf(await sees(server, who, { era, method: 'tools/list' }))
  return Array.isArray(result?.tools) ? result.tools.map(tool => tool.name) : result
}

const called = (name: string) => ({ method: 'tools/call', params: { name, arguments: { secret: 'done' } } })

describe.each(['session', 'stateless'] as const)('grants and policies in the %s era', era => {
  const callsOf = (name: string) =>
    [...house.echo.seen, ...house.poor.seen].filter(
      ({ method, params }) => method === 'tools/call' && params?.name === name,
    )

  it('a tool that is not granted is as absent as one that does not exist', async () => {
    const before = callsOf('write').length
    expect(await toolsOf('lab/echo', 'picky', era)).toEqual(['echo'])
    // The one server has the tool and does not grant it, the other has none of that name.
    const [hidden, missing] = await Promise.all([
      sees('lab/echo', 'picky', { era, ...called('write') }),
      sees('lab/poor', 'picky', { era, ...called('write') }),
    ])
    expect(comparable(hidden)).toEqual(comparable(missing))
    expect(answerOf(hidden).error).toMatchObject({ code: -32602, message: 'Unknown tool.' })
    expect(callsOf('write')).toHaveLength(before)
    expect(textOf(answerOf(await sees('lab/echo', 'picky', { era, ...called('echo') })))).toBe('done')
  })

  it('a grant of tools gives nothing but tools', async () => {
    const others = [...methods].filter(
      ([, row]) => (row.eras === era || row.eras === 'both') && /^(resource|prompt)\./.test(row.action),
    )
    expect(others.length).toBeGreaterThan(4)
    for (const [method, { subject, list }] of others) {
      const params = {
        name: 'greeting',
        uri,
        task: '',
        ref: { type: 'ref/prompt', name: 'greeting' },
        argument: {},
      }
      const asked = {
        era,
        method,
        params: subject === undefined ? {} : { [subject]: params[subject], argument: {} },
      }
      const reached = async (who: string) => {
        const before = house.echo.seen.length
        const { text } = await sees('lab/echo', who, asked)
        const isThere = house.echo.seen.slice(before).some(message => message.method === method)
        return { text, isThere }
      }
      expect([method, (await reached('owner')).isThere]).toEqual([method, true])
      const { text, isThere } = await reached('picky')
      expect([method, isThere]).toEqual([method, false])
      expect(text).not.toMatch(/what is in it|good day|completed|"name":"(one|any|greeting)"/)
      if (list === undefined || subject !== undefined) continue
      const why = expect.stringContaining('granted to you')
      const { result } = answerOf(await sees('lab/echo', 'picky', asked))
      expect(result).toMatchObject({ [list]: [], _meta: { 'dev.gatehouse/why': why } })
    }
  })

  it('readOnly gives what is confirmed to only read', async () => {
    expect(await toolsOf('lab/echo', 'reader', era)).toEqual(['echo'])
    for (const name of ['write', 'erase']) {
      const before = callsOf(name).length
      expect(answerOf(await sees('lab/echo', 'reader', { era, ...called(name) })).error?.message).toBe(
        'Unknown tool.',
      )
      expect(callsOf(name)).toHaveLength(before)
    }
    expect(textOf(answerOf(await sees('lab/echo', 'reader', { era, ...called('echo') })))).toBe('done')
    const read = answerOf(
      await sees('lab/echo', 'reader', { era, method: 'resources/read', params: { uri } }),
    )
    expect(read.result).toMatchObject({ contents: [{ text: 'what is in it' }] })
  })

  it.each([
    ['lab/strict', ['echo', 'erase']],
    ['lab/closed', ['echo']],
  ])('the policy of %s binds those who are granted everything', async (server, allowed) => {
    expect(await toolsOf(server, 'owner', era)).toEqual(allowed)
    for (const name of ['echo', 'write', 'erase']) {
      const before = callsOf(name).length
      const answer = answerOf(await sees(server, 'owner', { era, ...called(name) }))
      expect([name, textOf(answer), answer.error?.message]).toEqual(
        allowed.includes(name) ? [name, 'done', undefined] : [name, undefined, 'Unknown tool.'],
      )
      expect(callsOf(name)).toHaveLength(before + (allowed.includes(name) ? 1 : 0))
    }
  })
})

it('a grant of tools lets nobody listen to resources and prompts', async () => {
  const everything = {
    toolsListChanged: true,
    promptsListChanged: true,
    resourcesListChanged: true,
    resourceSubscriptions: [uri],
  }
  const acknowledged = async (who: string) => {
    const said = { id: 5, method: 'subscriptions/listen', params: { notifications: everything } }
    const stream = await open(at('lab/echo'), { ...inEra('stateless', said), token: house.token(who) })
    await vi.waitUntil(() => eventsOf(stream.text()).length > 0)
    stream.close()
    return eventsOf(stream.text())[0]?.params?.notifications
  }
  expect(await acknowledged('picky')).toEqual({ toolsListChanged: true })
  expect(await acknowledged('owner')).toEqual(everything)
})
