import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Opened } from '../../../test/fixtures/http-call.ts'
import { answerOf, eventsOf, inEra, type Message } from '../../../test/fixtures/mcp-call.ts'
import { inSession } from '../../../test/fixtures/mcp-plane.ts'
import { event, type Scripted } from '../../../test/fixtures/scripted-upstream.ts'
import { type StatelessOnly, startStatelessOnly } from '../../../test/fixtures/stateless-only.ts'

let server: StatelessOnly

afterEach(() => server?.close())

const done = { resultType: 'complete', content: [{ type: 'text', text: 'done' }] }
const form = { method: 'elicitation/create', params: { message: 'Who?', requestedSchema: {}, 'x-kept': [1] } }
const able = {
  capabilities: { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } },
}

/** Answers call after call with the next of these. */
async function begin(answers: readonly ((asked: Scripted) => void)[], limits: Record<string, string> = {}) {
  let calls = 0
  const next = (asked: Scripted) => answers[Math.min(calls++, answers.length - 1)]?.(asked)
  server = await startStatelessOnly(
    { 'tools/call': next, 'prompts/get': next, 'resources/read': next },
    limits,
  )
  return server.open(able)
}

const needs =
  (inputRequests: object | undefined, more: object = {}) =>
  ({ result }: Scripted) =>
    result({ resultType: 'input_required', inputRequests, ...more })
const isDone = ({ result }: Scripted) => result(done)

const params = { name: 'work', arguments: { n: 1 }, _meta: { progressToken: 'mine' } }
const calling = (session: string, said: object = { method: 'tools/call', params }): Promise<Opened> =>
  server.plane.follow('ana', inEra('session', { id: 'call', method: '', session, ...said }))

async function asked(stream: Opened, count = 1): Promise<Message[]> {
  const questions = () => eventsOf(stream.text()).filter(({ id, method }) => id !== undefined && method)
  await vi.waitFor(() => expect(questions()).toHaveLength(count))
  return questions()
}

async function answered(stream: Opened): Promise<Message> {
  await stream.ended
  return answerOf({ headers: stream.headers, text: stream.text() })
}

const calls = () => server.upstream.named('tools/call')

describe('a server that needs input', () => {
  it('gets it from the client, in as many rounds as it needs', async () => {
    const session = await begin([
      needs(
        { who: form, 'what"': { method: 'sampling/createMessage', params: { messages: [] } } },
        { requestState: 'é/"1' },
      ),
      needs({ where: { method: 'roots/list' } }),
      ({ id, events, response }) => {
        events(
          event({ method: 'notifications/progress', params: { progressToken: id, progress: 2 } }),
          event({ id, result: done }),
        )
        response.end()
      },
    ])
    const stream = await calling(session)
    const [who, what] = await asked(stream, 2)
    expect(who).toMatchObject({ method: form.method, params: form.params })
    const answer = { action: 'accept', content: { name: 'Ana', 'x-more': 1 } }
    expect(await server.respond(session, { id: what?.id, result: { model: 'm', content: {} } })).toBe(202)
    expect(calls()).toHaveLength(1)
    await server.respond(session, { id: who?.id, result: answer })
    const [, , where] = await asked(stream, 3)
    expect(where).toEqual({ jsonrpc: '2.0', id: where?.id, method: 'roots/list' })
    await server.respond(session, { id: where?.id, result: { roots: [] } })
    expect(await answered(stream)).toEqual({ jsonrpc: '2.0', id: 'call', result: { content: done.content } })
    const progress = eventsOf(stream.text()).find(({ method }) => method === 'notifications/progress')
    expect(progress?.params).toEqual({ progressToken: 'mine', progress: 2 })

    const [first, second, third] = calls()
    expect(new Set(calls().map(({ id }) => id)).size).toBe(3)
    expect(first?.params).not.toHaveProperty('inputResponses')
    expect(second?.params).toMatchObject({
      name: 'work',
      arguments: { n: 1 },
      requestState: 'é/"1',
      inputResponses: { who: answer, 'what"': { model: 'm', content: {} } },
      _meta: { progressToken: second?.id },
    })
    expect(third?.params).toMatchObject({ inputResponses: { where: { roots: [] } } })
    expect(third?.params).not.toHaveProperty('requestState')
    expect(third?.headers).toMatchObject({ 'mcp-method': 'tools/call', 'mcp-name': 'work' })
  })

  it.each([
    ['prompts/get', { name: 'work' }],
    ['resources/read', { uri: 'a:b' }],
  ])('may need it for %s', async (method, params) => {
    const session = await begin([needs({ who: form }), isDone])
    const stream = await calling(session, { method, params })
    const [who] = await asked(stream)
    await server.respond(session, { id: who?.id, result: { action: 'decline' } })
    expect((await answered(stream)).result).toEqual({ content: done.content })
    expect(server.upstream.named(method)[1]?.params.inputResponses).toEqual({ who: { action: 'decline' } })
  })

  it('may only want to be asked again', async () => {
    const session = await begin([
      needs(undefined, { requestState: 'a' }),
      needs({}, { requestState: 'b' }),
      isDone,
    ])
    expect((await answered(await calling(session))).result).toEqual({ content: done.content })
    expect(calls().map(({ params }) => params.requestState)).toEqual([undefined, 'a', 'b'])
  })

  it('is not asked for ever', async () => {
    const session = await begin([needs({ who: form })])
    const stream = await calling(session)
    for (let round = 1; round < 16; round++) {
      const questions = await asked(stream, round)
      await server.respond(session, { id: questions.at(-1)?.id, result: { action: 'accept' } })
    }
    expect((await answered(stream)).error?.data).toMatchObject({ code: 'upstream.bad_answer' })
    expect(calls()).toHaveLength(16)
  })

  it('and names a page gets an id for it', async () => {
    const url = {
      method: 'elicitation/create',
      params: { mode: 'url', message: 'Go', url: 'https://a.example/' },
    }
    const session = await begin([needs({ page: url }), isDone])
    const stream = await calling(session)
    const [page] = await asked(stream)
    expect(page?.params).toEqual({ ...url.params, elicitationId: expect.stringMatching(/^[\w-]{20,}$/) })
    await server.respond(session, { id: page?.id, result: { action: 'accept' } })
    await answered(stream)
  })

  it('says so in an answer of any length', async () => {
    const messages = [{ role: 'user', content: { type: 'text', text: 'long '.repeat(40_000) } }]
    const session = await begin([
      needs({ what: { method: 'sampling/createMessage', params: { messages } } }),
      isDone,
    ])
    const stream = await calling(session)
    const [what] = await asked(stream)
    expect(what?.params).toEqual({ messages })
    await server.respond(session, { id: what?.id, result: { model: 'm' } })
    expect((await answered(stream)).result).toEqual({ content: done.content })
  })

  it.each([
    ['elicitation', { capabilities: {} }, form],
    ['elicitation by URL', { capabilities: { elicitation: {} } }, { ...form, params: { mode: 'url' } }],
    ['elicitation', { capabilities: { elicitation: { url: {} } } }, form],
    [
      'sampling with tools',
      { capabilities: { sampling: {} } },
      { method: 'sampling/createMessage', params: { tools: [] } },
    ],
    ['roots', { capabilities: { sampling: {} } }, { method: 'roots/list' }],
  ])('that is %s from a client with %j is told that there is none', async (what, client, request) => {
    await begin([needs({ x: request })])
    const stream = await calling(await server.open(client))
    const { error } = await answered(stream)
    expect(error?.data).toMatchObject({ code: 'mcp.input_impossible', why: expect.stringContaining(what) })
    expect(calls()).toHaveLength(1)
  })
})

describe('a client that is asked', () => {
  it('and answers with an error ends its call, and the other questions', async () => {
    const session = await begin([needs({ who: form, too: form })])
    const stream = await calling(session)
    const [who, too] = await asked(stream, 2)
    await server.respond(session, { id: who?.id, error: { code: -1, message: 'secret' } })
    const { error } = await answered(stream)
    expect(error?.data).toMatchObject({ code: 'mcp.input_declined', why: expect.stringContaining('-1') })
    const cancelled = eventsOf(stream.text()).find(({ method }) => method === 'notifications/cancelled')
    expect(cancelled?.params).toEqual({ requestId: too?.id })
    await server.respond(session, { id: too?.id, result: { action: 'accept' } })
    expect(calls()).toHaveLength(1)
  })

  it('and does not answer is waited for only so long', async () => {
    const session = await begin([needs({ who: form })], { callSecondsMax: '0.3' })
    const { error } = await answered(await calling(session))
    expect(error?.data).toMatchObject({ code: 'mcp.input_declined', why: expect.stringContaining('in time') })
  })

  it('may give up, and is then asked no more', async () => {
    const session = await begin([needs({ who: form })])
    const stream = await calling(session)
    const [who] = await asked(stream)
    const cancelled = { method: 'notifications/cancelled', params: { requestId: 'call' }, session }
    await server.plane.say('ana', 'session', cancelled)
    expect((await answered(stream)).error?.data).toMatchObject({ code: 'mcp.cancelled' })
    await server.respond(session, { id: who?.id, result: { action: 'accept' } })
    await server.plane.ask('ana', { method: 'DELETE', headers: inSession(session) })
    expect(calls()).toHaveLength(1)
  })

  it('is the only one whose answer counts', async () => {
    const session = await begin([needs({ who: form }), isDone])
    const other = await server.open(able)
    const stream = await calling(session)
    const [who] = await asked(stream)
    await server.respond(other, { id: who?.id, result: { action: 'accept', content: { from: 'another' } } })
    await server.respond(session, { id: String(who?.id), result: { action: 'accept' } })
    expect(calls()).toHaveLength(1)
    await server.respond(session, { id: who?.id, result: { action: 'cancel' } })
    await answered(stream)
    expect(calls()[1]?.params.inputResponses).toEqual({ who: { action: 'cancel' } })
  })
})
