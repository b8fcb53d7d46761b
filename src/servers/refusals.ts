/** What keeps a definition from being published. */
import { type ErrorCode, fail } from '../foundation/errors.ts'
import type { Composed } from './compose.ts'

export type PublishProblem = {
  readonly code: Extract<ErrorCode, 'servers.name_clash' | 'servers.bad_choice'>
  readonly why: string
  readonly fix?: string
  /** The source it is about, as `group/server`; absent where it is about several. */
  readonly source?: string
}

/** Empty when it may be published. Of sources that were never read nothing is said but that they are there. */
export function problemsOf({ clashes, composition, strange, idle }: Composed): PublishProblem[] {
  const gone = composition.missing.filter(({ reason }) => reason === 'gone')
  return [
    ...clashes.map(({ name, of }) => ({
      code: 'servers.name_clash' as const,
      why: `${JSON.stringify(name)} would be ${of.join(' and ')}.`,
    })),
    ...gone.map(({ server }) => ({
      code: 'servers.bad_choice' as const,
      why: `There is no server ${server}.`,
      fix: 'List the servers with: gatehouse server list.',
      source: server,
    })),
    ...strange.map(({ server, tool, argument, reason }) => ({
      code: 'servers.bad_choice' as const,
      ...(reason === 'unknown'
        ? {
            why: `${server} ${tool} takes no argument ${argument}.`,
            fix: 'Name an argument that its schema has, or fix a value of this one.',
          }
        : {
            why: `${server} ${tool} needs the argument ${argument}, which is hidden and has no value.`,
            fix: 'Give it a value or a default, or do not hide it.',
          }),
      source: server,
    })),
    ...idle.map(choice => ({
      code: 'servers.bad_choice' as const,
      why: `${choice} chooses nothing.`,
      fix: 'Name what the server has: gatehouse tools <group/server>.',
      source: choice.split(' ')[0] ?? '',
    })),
  ]
}

/** Throws what is wrong, all of the first kind in one error. */
export function refuse(problems: readonly PublishProblem[]): void {
  const [first] = problems
  if (first === undefined) return
  const alike = problems.filter(({ code }) => code === first.code)
  fail(first.code, {
    why: alike.map(({ why }) => why).join(' '),
    ...(first.fix === undefined ? {} : { fix: first.fix }),
  })
}
