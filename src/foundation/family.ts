import type { z } from 'zod'

/** One variant of something: its name, its title for people, and the schema of its configuration. */
export type Kind<Name extends string = string, Config = unknown> = {
  readonly kind: Name
  readonly title: string
  readonly config: z.ZodType<Config>
}

/** An explicit list of kinds with a look-up; the list's order is the order people see. */
export type Family<Member extends Kind> = {
  readonly members: readonly Member[]
  find(kind: string): Member | undefined
}

export function family<Member extends Kind>(...members: readonly Member[]): Family<Member> {
  const byName = new Map(members.map(member => [member.kind, member]))
  return { members, find: kind => byName.get(kind) }
}
