/** What an author may make a virtual server of: of servers they manage, everything; of others, what they may use themselves, now and later. */
import { type Access, covers, type Target } from '../access/index.ts'
import { fail } from '../foundation/errors.ts'
import type { Caller } from '../foundation/route.ts'
import { type Catalogue, type Register, targetTool, type Upstream } from '../upstreams/index.ts'
import type { Definition, Source } from './definition.ts'

type Parts = {
  readonly access: Pick<Access, 'clear' | 'isManager' | 'sees'>
  readonly register: Pick<Register, 'find'>
  readonly catalogue: Pick<Catalogue, 'items' | 'tool'>
}

/** Throws `access.not_found` for sources that are not for this author, and `identity.forbidden` for tools that are not. */
export function checkMayGive(parts: Parts, author: Caller, { sources }: Definition): void {
  for (const source of sources) {
    const [group = '', name = ''] = source.server.split('/')
    const upstream = parts.register.find(group, name)
    if (upstream === undefined || !mayUse(parts, author, upstream))
      fail('servers.bad_choice', {
        why: `There is no server ${source.server}, or you have no access to it.`,
        fix: 'Ask a manager of its group for access.',
      })
    if (!parts.access.isManager(author, group)) checkTools(parts, author, { source, upstream })
  }
}

function mayUse({ access }: Parts, author: Caller, upstream: Upstream): boolean {
  return (
    access.isManager(author, upstream.group) || access.clear(author, 'server.use', targetOf(upstream)).allowed
  )
}

function targetOf({ group, name, policy }: Upstream): Target {
  return { group, server: name, policy }
}

type Given = { readonly source: Source; readonly upstream: Upstream }

function checkTools({ access, catalogue }: Parts, author: Caller, { source, upstream }: Given): void {
  const may = (name: string, readOnly: boolean) =>
    access.clear(author, 'tool.call', { ...targetOf(upstream), tool: { name, readOnly } }).allowed
  const choices = choicesOf(source)
  const forbidden = catalogue
    .items(upstream.id)
    .filter(({ kind, name }) => kind === 'tool' && choices.some(choice => covers(choice, name)))
    .filter(({ name }) => {
      const { readOnly } = targetTool(upstream, name, catalogue.tool(upstream.id, name))
      return !may(name, readOnly) && (source.tools !== 'readOnly' || readOnly)
    })
    .map(({ name }) => name)
  // What a pattern chooses later is given as well, so it takes a right to whatever that is: no tool has this name.
  const isOpen = choices.some(choice => /[*?]/.test(choice))
  if (isOpen && !may('\u0000', source.tools === 'readOnly')) forbidden.push('whatever comes later')
  if (!access.clear(author, 'resource.read', targetOf(upstream)).allowed && takesMore(source))
    forbidden.push('resources and prompts')
  if (forbidden.length > 0)
    fail('identity.forbidden', {
      why: `Of ${source.server} you may not use ${forbidden.slice(0, 20).join(', ')}, so you cannot offer it to others.`,
      fix: 'Name only tools that you may use, or ask a manager of its group.',
    })
}

function choicesOf({ tools, resources, prompts }: Source): string[] {
  if (tools === undefined) return resources === undefined && prompts === undefined ? ['*'] : []
  if (typeof tools === 'string') return ['*']
  return tools.map(choice => (typeof choice === 'string' ? choice : choice.name))
}

function takesMore({ tools, resources, prompts }: Source): boolean {
  return tools === undefined || resources !== undefined || prompts !== undefined
}
