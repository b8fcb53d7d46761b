import { z } from 'zod'
import { type Access, managesAll, type TargetTool } from '../access/index.ts'
import { type Caller, type Route, route } from '../foundation/route.ts'
import type { Catalogue } from './catalogue.ts'
import type { Asker, Equipped } from './equipped.ts'
import { type Probe, probeAnswer } from './probe.ts'
import type { Register } from './register.ts'
import { serverParams } from './routes.ts'
import { secretsSchema, serverInputSchema } from './server-input.ts'
import { targetTool } from './target-tool.ts'
import type { Upstream } from './upstream.ts'
import { whyNoTools } from './why-no-tools.ts'

type Parts = {
  readonly register: Register
  readonly catalogue: Catalogue
  readonly access: Access
  readonly authSchema: z.ZodType
  equip(upstream: Upstream, asker: Asker): Equipped | Promise<Equipped>
  probe(to: Equipped): Promise<Probe>
  /** Of servers that the gateway makes out of others. */
  composedTools(caller: Caller): readonly UsableTool[]
}

/** A tool as one caller may use it. */
export type UsableTool = z.infer<typeof toolAnswer>

const toolAnswer = z.object({
  server: z.string().describe('group/server'),
  name: z.string(),
  hash: z.string().describe('SHA-256 of the definition in RFC 8785 form.'),
  definition: z.unknown().describe('As the server wrote it; of a virtual server, as its users see it.'),
})

const toolsAnswer = z.object({ items: z.array(toolAnswer), why: z.string().optional() })

/** What servers offer and whether they work. */
export function catalogueRoutes(parts: Parts): readonly Route[] {
  return [probeDraft(parts), probeServer(parts), serverTools(parts), allTools(parts)]
}

function probeDraft({ register, authSchema, equip, probe }: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/v1/servers/test',
    summary: 'Probe a server without registering it.',
    entry: 'signed-in',
    body: serverInputSchema(authSchema).extend({ secrets: secretsSchema }),
    answer: probeAnswer,
    async act({ caller, body: { secrets, ...input } }) {
      return probe(await equip(register.draft(caller, input, secrets), caller))
    },
  })
}

function probeServer({ register, catalogue, equip, probe }: Parts): Route {
  return route({
    method: 'POST',
    path: '/api/v1/servers/{group}/{server}/test',
    summary: 'Probe a registered server and read its catalogue again.',
    entry: 'signed-in',
    params: serverParams,
    answer: probeAnswer,
    async act({ caller, params: { group, server } }) {
      const upstream = register.managed(caller, group, server)
      register.checkRun(caller, upstream)
      const report = await probe(await equip(upstream, caller))
      if (report.ok) await catalogue.sync(upstream, caller)
      return report
    },
  })
}

function toolsOf({ catalogue }: Parts, { id }: Upstream) {
  return catalogue
    .items(id)
    .filter(({ kind }) => kind === 'tool')
    .map(item => ({ ...item, facts: catalogue.tool(id, item.name) }))
}

function mayCall({ access }: Parts, caller: Caller, { group, name: server, policy }: Upstream) {
  return (tool: TargetTool) => access.clear(caller, 'tool.call', { group, server, policy, tool }).allowed
}

function usable(parts: Parts, caller: Caller, upstream: Upstream): UsableTool[] {
  const { group, name: server } = upstream
  const may = mayCall(parts, caller, upstream)
  return toolsOf(parts, upstream)
    .filter(({ name, facts }) => facts?.held === undefined && may(targetTool(upstream, name, facts)))
    .map(({ name, hash, definition }) => ({
      server: `${group}/${server}`,
      name,
      hash,
      definition: JSON.parse(definition),
    }))
}

function mayStart({ access }: Parts, caller: Caller, { group, name: server, policy }: Upstream): boolean {
  return managesAll(caller) || access.clear(caller, 'server.use', { group, server, policy }).allowed
}

function serverTools(parts: Parts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/servers/{group}/{server}/tools',
    summary: 'The tools of a server that you may call.',
    entry: 'signed-in',
    params: serverParams,
    answer: toolsAnswer,
    async act({ caller, params: { group, server } }) {
      const upstream = parts.register.visible(caller, group, server)
      const isUnread = parts.catalogue.facts(upstream.id) === undefined
      // Whoever only may look at a server may not have it started or called either.
      if (isUnread && !mayStart(parts, caller, upstream))
        return { items: [], why: 'The server has not been read yet.' }
      if (isUnread) await parts.catalogue.sync(upstream, caller)
      const items = usable(parts, caller, upstream)
      if (items.length > 0) return { items }
      return { items, why: whyNone(parts, caller, upstream) }
    },
  })
}

function whyNone(parts: Parts, caller: Caller, upstream: Upstream): string {
  const tools = toolsOf(parts, upstream)
  if (tools.length === 0) return 'The server offers no tools.'
  return (
    whyNoTools(upstream, tools, mayCall(parts, caller, upstream)) ??
    `The server has ${tools.length} tools; none of them is granted to you. Ask a manager of the group.`
  )
}

function allTools(parts: Parts): Route {
  return route({
    method: 'GET',
    path: '/api/v1/tools',
    summary: 'Every tool that you may call.',
    entry: 'signed-in',
    answer: toolsAnswer,
    async act({ caller }) {
      const upstreams = [...parts.register.list()]
      const behind = upstreams.flatMap(upstream => usable(parts, caller, upstream))
      const items = [...behind, ...parts.composedTools(caller)]
      if (items.length > 0) return { items }
      const reasons = upstreams.map(upstream =>
        whyNoTools(upstream, toolsOf(parts, upstream), mayCall(parts, caller, upstream)),
      )
      const why = reasons.find(reason => reason !== undefined)
      return { items, why: why ?? 'No tool of any server is granted to you, or no server has been read yet.' }
    },
  })
}
