import { z } from 'zod'
import { fail } from '../foundation/errors.ts'
import { type Caller, type Route, type RouteInput, route } from '../foundation/route.ts'
import { slug } from '../foundation/slug.ts'
import type { Access } from './access.ts'
import type { Changes } from './changes.ts'
import { asGrantInput } from './manifest.ts'
import { description, grantSchema, groupSchema } from './scope.ts'
import { manages, seesAll } from './snapshot.ts'
import { managerSubject } from './subject.ts'
import type { Group } from './table.ts'

type Rules = Pick<Access, 'group' | 'groups' | 'sees' | 'isManager'>

const groupParams = z.object({ group: z.string() })
const managerParams = z.object({ group: z.string(), subject: managerSubject })
const grantParams = z.object({ group: z.string(), id: z.string() })

const groupAnswer = z.object({
  name: z.string(),
  description: z.string(),
  isManager: z.boolean().describe('May the caller change this group?'),
  managers: z.array(z.string()).optional().describe('Only for managers, admins and auditors.'),
})
const grantAnswer = grantSchema.extend({ id: z.string() })

const why = z.string().optional().describe('Why the list is empty, when it is.')
const groupList = z.object({ items: z.array(groupAnswer), why })
const grantList = z.object({ items: z.array(grantAnswer), why })

export function groupRoutes(rules: Rules, changes: Changes): readonly Route[] {
  return [...readingRoutes(rules), ...adminRoutes(rules, changes), ...managingRoutes(rules, changes)]
}

function readingRoutes(rules: Rules): Route[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/groups',
      summary: 'The server groups you may use or manage.',
      entry: 'signed-in',
      answer: groupList,
      async act({ caller }) {
        const items = [...rules.groups()].filter(group => rules.sees(caller, group.name))
        if (items.length === 0) return { items: [], why: whyNoGroups(caller) }
        return { items: items.map(group => shown(group, caller)) }
      },
    }),
    route({
      method: 'GET',
      path: '/api/v1/groups/{group}',
      summary: 'One server group.',
      entry: 'signed-in',
      params: groupParams,
      answer: groupAnswer,
      act: async ({ caller, params }) => shown(visible(rules, caller, params.group), caller),
    }),
    route({
      method: 'GET',
      path: '/api/v1/groups/{group}/grants',
      summary: 'Who may use the servers of a group.',
      entry: 'signed-in',
      params: groupParams,
      answer: grantList,
      async act({ caller, params }) {
        const group = visible(rules, caller, params.group)
        if (!mayInspect(caller, group)) return forbidden(group)
        const items = group.grants.map(grant => ({ id: grant.id, ...asGrantInput(grant) }))
        return items.length > 0
          ? { items }
          : { items, why: 'Nobody has been given access to this group yet.' }
      },
    }),
  ]
}

function adminRoutes(rules: Rules, changes: Changes): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/groups',
      summary: 'Make a server group.',
      entry: 'admin',
      status: 201,
      body: z.strictObject({
        name: slug,
        description: groupSchema.shape.description,
        managers: groupSchema.shape.managers,
      }),
      answer: groupAnswer,
      async act(input) {
        await changes.createGroup(input, input.body)
        return shown(visible(rules, input.caller, input.body.name), input.caller)
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/groups/{group}',
      summary: 'Remove an empty server group and every grant in it.',
      entry: 'admin',
      status: 204,
      params: groupParams,
      act: input => changes.removeGroup(input, input.params.group),
    }),
  ]
}

function managingRoutes(rules: Rules, changes: Changes): Route[] {
  return [
    route({
      method: 'PATCH',
      path: '/api/v1/groups/{group}',
      summary: 'Change what a group says about itself.',
      entry: 'signed-in',
      params: groupParams,
      body: z.strictObject({ description }),
      answer: groupAnswer,
      async act(input) {
        await changes.describeGroup(input, managed(rules, input), input.body.description)
        return shown(visible(rules, input.caller, input.params.group), input.caller)
      },
    }),
    route({
      method: 'PUT',
      path: '/api/v1/groups/{group}/managers/{subject}',
      summary: 'Make somebody a manager of a group.',
      entry: 'signed-in',
      status: 204,
      params: managerParams,
      act: async input => changes.addManager(input, managed(rules, input), input.params.subject),
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/groups/{group}/managers/{subject}',
      summary: 'Stop somebody from managing a group.',
      entry: 'signed-in',
      status: 204,
      params: managerParams,
      act: async input => changes.removeManager(input, managed(rules, input), input.params.subject),
    }),
    ...grantingRoutes(rules, changes),
  ]
}

function grantingRoutes(rules: Rules, changes: Changes): Route[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/groups/{group}/grants',
      summary: 'Give somebody access to servers of a group.',
      entry: 'signed-in',
      status: 201,
      params: groupParams,
      body: grantSchema,
      answer: grantAnswer,
      async act(input) {
        const grant = await changes.grant(input, managed(rules, input), input.body)
        return { id: grant.id, ...asGrantInput(grant) }
      },
    }),
    route({
      method: 'DELETE',
      path: '/api/v1/groups/{group}/grants/{id}',
      summary: 'Take access away.',
      entry: 'signed-in',
      status: 204,
      params: grantParams,
      act: async input => changes.revoke(input, managed(rules, input), input.params.id),
    }),
  ]
}

/** The group, or the one answer for groups that are not there and groups that are not for this caller. */
function visible(rules: Rules, caller: Caller, name: string): Group {
  const group = rules.group(name)
  return group !== undefined && rules.sees(caller, name) ? group : fail('access.not_found')
}

/** The name of the group, once it is certain that the caller may change it. */
function managed(
  rules: Rules,
  input: Pick<RouteInput<{ group: string }, unknown, unknown>, 'caller' | 'params'>,
) {
  const group = visible(rules, input.caller, input.params.group)
  return rules.isManager(input.caller, group.name) ? group.name : forbidden(group)
}

function mayInspect(caller: Caller, group: Group): boolean {
  return seesAll(caller) || manages(caller, group)
}

function forbidden(group: Group): never {
  return fail('identity.forbidden', { why: `You are no manager of the group ${group.name}.` })
}

function shown(group: Group, caller: Caller): z.infer<typeof groupAnswer> {
  const { name, description } = group
  const face = { name, description, isManager: manages(caller, group) }
  return mayInspect(caller, group) ? { ...face, managers: [...group.managers] } : face
}

function whyNoGroups(caller: Caller): string {
  return seesAll(caller)
    ? 'There are no server groups yet. Make one with: gatehouse group add <name>.'
    : 'You have no access to any group yet. Ask a manager of one.'
}
