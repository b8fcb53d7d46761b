/** Looking at the definitions of tools, and deciding about them. */
import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { path } from './api.ts'
import { exitCodes } from './command-error.ts'
import { type Kit, leaf, type Session, type SharedOptions } from './kit.ts'
import { approvedLines, reviewLines } from './review-lines.ts'
import { splitName } from './server.ts'
import { cell } from './table.ts'

type ApproveOptions = SharedOptions & { readonly all?: boolean; readonly despiteFindings?: boolean }

export function addReviewCommands(tools: Command, kit: Kit): void {
  leaf(tools, 'review <group/server>', 'what changed about the tools of a server, and what is held')
    .option('--all', 'also the tools about which there is nothing to say')
    .action((name: string, options: SharedOptions & { all?: boolean }) =>
      kit.online(options, 'Reading the tools', async ({ api }) => {
        const answer = await api.list(`${place(name)}/review`)
        kit.show(options, answer, () => reviewLines(kit, { name, ...answer, isAll: options.all === true }))
      }),
    )
  leaf(tools, 'approve <group/server> [tool...]', 'let tools be used as they are defined now')
    .option('--all', 'all that are held, but those with findings of high severity')
    .option('--despite-findings', 'also those that are not what they look like')
    .addHelpText(
      'after',
      '\nA tool is named by its name, or as name@hash, so that it is the definition that was reviewed.',
    )
    .action((name: string, words: string[], options: ApproveOptions) =>
      kit.online(options, 'Approving', session => approve(kit, session, { name, words, options })),
    )
  leaf(tools, 'hold <group/server> <tool...>', 'let nobody use tools until they are approved again').action(
    (name: string, held: string[], options: SharedOptions) =>
      kit.online(options, 'Holding', async ({ api }) => {
        const answer = await api.post(`${place(name)}/review/hold`, { tools: held })
        kit.show(options, answer, () => held.map(tool => `${cell(tool)} of ${name} is held.`))
      }),
  )
}

function place(name: string): string {
  const { group, server } = splitName(name)
  return path`/servers/${group}/${server}`
}

async function approve(
  kit: Kit,
  { api }: Session,
  { name, words, options }: { name: string; words: readonly string[]; options: ApproveOptions },
): Promise<void> {
  if ((words.length === 0) === (options.all !== true))
    fail('cli.usage', { why: 'It is not said which tools.', fix: 'Name tools, or say --all.' })
  const { items } = await api.list(`${place(name)}/review`)
  const held = items.filter(({ state }) => state !== 'approved')
  const wanted = options.all === true ? held : words.map(word => find(items, word))
  const isLeft = (item: JsonObject) =>
    options.all === true && options.despiteFindings !== true && isGrave(item)
  const tools = wanted.filter(item => !isLeft(item))
  const left = wanted.filter(isLeft).map(item => cell(item.name))
  const answer =
    tools.length === 0
      ? { tools: [] }
      : await api.post(`${place(name)}/review/approve`, {
          tools: tools.map(item => String(item.name)),
          hashes: Object.fromEntries(tools.map(item => [String(item.name), String(item.hash)])),
          despiteFindings: options.despiteFindings === true,
        })
  kit.show(options, { ...answer, left }, () => approvedLines(name, { tools, left }))
  if (left.length > 0) kit.setExitCode(exitCodes.failed)
}

function isGrave({ findings }: JsonObject): boolean {
  return Array.isArray(findings) && findings.some(finding => isObject(finding) && finding.severity === 'high')
}

/** The tool that a word names, as it was reviewed. */
function find(items: readonly JsonObject[], word: string): JsonObject {
  const plain = items.find(({ name }) => name === word)
  if (plain !== undefined) return plain
  const at = word.lastIndexOf('@')
  const item = items.find(({ name }) => name === word.slice(0, Math.max(0, at)))
  const hash = word.slice(at + 1)
  if (item === undefined)
    return fail('http.not_found', {
      why: `The server has no tool ${word}.`,
      fix: 'See its tools with: gatehouse tools review <group/server> --all.',
    })
  if (hash.length < 8 || !String(item.hash).startsWith(hash))
    return fail('http.conflict', {
      why: `The definition of ${cell(item.name)} is another than ${hash}.`,
      fix: 'Look at it again with: gatehouse tools review <group/server>.',
    })
  return item
}
