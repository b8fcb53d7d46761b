/** MCP Apps and skills: what they put into tools, resources and answers of their own passes byte for byte, to those who may have it. */
import { afterEach, describe, expect, it } from 'vitest'
import { answerOf, type Era } from '../../test/fixtures/mcp-call.ts'
import { openPlane, type Plane, upstreamAt } from '../../test/fixtures/mcp-plane.ts'
import { type Script, type ScriptedUpstream, startScripted } from '../../test/fixtures/scripted-upstream.ts'

let plane: Plane
let upstream: ScriptedUpstream

async function begin(script: Script): Promise<void> {
  upstream = await startScripted(script)
  plane = await openPlane(upstreamAt(upstream.url))
  await plane.catalogue.sync(upstreamAt(upstream.url))
  upstream.asked.length = 0
}

afterEach(async () => {
  await plane?.close()
  await upstream?.stop()
})

/** Answers with exactly this text as its result. */
const raw =
  (result: string): Script[string] =>
  ({ id, response }) => {
    response.setHeader('content-type', 'application/json')
    response.end(`{"jsonrpc":"2.0", "result" :${result}, "id":${id}}`)
  }

const app = 'ui://weather/view.html'
const ui = '{ "resourceUri":"ui://weather/view.html", "visibility": ["model","app"],"x":1.0 }'
const tool = `{"name":"work","inputSchema":{},"_meta":{"ui" : ${ui}, "com.example/x": 1e2}}`
const content = `{"uri":"${app}","mimeType":"text/html;profile=mcp-app","text":"<b>\\u00e9</b>","_meta":{"ui":{"csp": {"connectDomains":[ ]},"permissions":{"camera":{}} }}}`
const skill = `{"uri":"skill://a/SKILL.md","frontmatter":{"name":"a","big":12345678901234567890},"resources": [ {"uri":"skill://a/SKILL.md","digest":"sha256:0","size":1.0}]}`

const script: Script = {
  'tools/list': raw(`{"tools":[${tool}],"resultType":"complete","ttlMs":0,"cacheScope":"private"}`),
  'tools/call': raw(`{"resultType":"complete","content":[],"_meta":{"ui" :${ui}}}`),
  'resources/read': raw(`{"resultType":"complete","contents":[${content}],"ttlMs":0,"cacheScope":"public"}`),
  'skills/list': raw(`{"resultType":"complete","skills":[${skill}],"ttlMs":60000000,"cacheScope":"public"}`),
  'skills/get': raw(`{"resultType":"complete","skill":${skill},"cacheScope":"public","ttlMs":0}`),
  'resources/directory/read': raw(`{"resources":[{"uri":"skill://a/b","mimeType":"inode/directory" }]}`),
}

describe.each<Era>(['session', 'stateless'])('in the %s era', era => {
  const ask = async (method: string, params: Record<string, unknown> = {}) => {
    const session = era === 'session' ? await plane.session('ana') : undefined
    return plane.say('ana', era, { id: 'c', method, params, session })
  }

  it.each([
    ['tools/list', {}, tool],
    ['tools/call', { name: 'work' }, ui],
    ['resources/read', { uri: app }, content],
    ['skills/list', {}, skill],
    ['skills/get', { uri: 'skill://a/SKILL.md' }, skill],
    ['resources/directory/read', { uri: 'skill://a' }, '{"uri":"skill://a/b","mimeType":"inode/directory" }'],
  ])('%s passes what is in it byte for byte, and nothing is shared', async (method, params, kept) => {
    await begin(script)
    const { status, text } = await ask(method, params)
    expect([status, text]).toEqual([200, expect.stringContaining(kept)])
    expect(upstream.asked.at(-1)).toMatchObject({ method, params })
    if (era === 'stateless') expect(text).not.toContain('"public"')
    if (era === 'stateless' && method !== 'tools/call')
      expect(answerOf({ headers: {}, text }).result).toMatchObject({ cacheScope: 'private' })
  })

  it('skills are for those who may read resources', async () => {
    await begin(script)
    plane.people.may = (_, action) => action === 'server.use' || action.startsWith('tool.')
    const { result } = answerOf(await ask('skills/list'))
    expect(result).toMatchObject({
      skills: [],
      _meta: { 'dev.gatehouse/why': expect.stringContaining('skills') },
    })
    for (const method of ['skills/get', 'resources/directory/read']) {
      const { error } = answerOf(await ask(method, { uri: 'skill://a' }))
      expect(error).toMatchObject({
        code: era === 'session' ? -32002 : -32602,
        message: 'Resource not found.',
      })
    }
    expect(upstream.asked.filter(({ method }) => /skills|directory/.test(method))).toEqual([])
  })
})
