/** Virtual servers: written, looked at, published, compared and rolled back. */
import type { Command } from 'commander'
import { fail } from '../foundation/errors.ts'
import type { JsonObject } from '../foundation/json.ts'
import { readVirtualServer } from '../manifest/index.ts'
import { path } from './api.ts'
import { exitCodes } from './command-error.ts'
import { type Kit, leaf, type SharedOptions } from './kit.ts'
import { readText } from './read-text.ts'
import { timeOf } from './review-lines.ts'
import { splitName } from './server.ts'
import type { Column } from './table.ts'
import { diffLines, draftedLines, previewLines, publishedLine, shownLines } from './virtual-lines.ts'

const columns: readonly Column[] = [
  ['NAME', ({ group, name }) => `${String(group)}/${String(name)}`],
  ['SERVES', 'published'],
  ['DRAFT', 'hasDraft'],
  ['DESCRIPTION', 'description'],
]

const versionColumns: readonly Column[] = [
  ['NUMBER', 'number'],
  ['PUBLISHED', ({ at }) => timeOf(at)],
  ['BY', 'by'],
]

export function addVirtualCommands(program: Command, kit: Kit): void {
  const virtual = program.command('virtual').description('servers made of parts of others')
  leaf(virtual, 'list', 'list the virtual servers that you may use or manage').action(
    (options: SharedOptions) =>
      kit.online(options, 'Listing virtual servers', async ({ api }) =>
        kit.showList(options, await api.list('/virtual-servers'), columns),
      ),
  )
  leaf(virtual, 'show <group/server>', 'print what is served, as a manifest has it')
    .option('--draft', 'the draft in its place')
    .action((name: string, options: SharedOptions & { draft?: boolean }) =>
      kit.online(options, 'Reading the virtual server', async ({ api }) => {
        const shown = await api.get(place(name))
        kit.show(options, shown, () => shownLines(shown, options.draft === true))
      }),
    )
  addLookingCommands(virtual, kit)
  addWritingCommands(virtual, kit)
  addServingCommands(virtual, kit)
}

function place(name: string): string {
  const { group, server } = splitName(name)
  return path`/virtual-servers/${group}/${server}`
}

type DiffOptions = SharedOptions & { readonly from?: string; readonly to?: string }

function addLookingCommands(virtual: Command, kit: Kit): void {
  leaf(
    virtual,
    'preview <group/server>',
    'what the draft, or else what is served, comes to now; ends with 1 when it cannot be published',
  ).action((name: string, options: SharedOptions) =>
    kit.online(options, 'Putting it together', async ({ api }) => {
      const preview = await api.get(`${place(name)}/preview`)
      if (Array.isArray(preview.problems) && preview.problems.length > 0) kit.setExitCode(exitCodes.failed)
      kit.show(options, preview, () => previewLines(kit, preview))
    }),
  )
  leaf(
    virtual,
    'diff <group/server>',
    'what the draft changes of what is served, and what that means to callers',
  )
    .option('--from <number>', 'a publication in place of what is served')
    .option('--to <number>', 'a publication in place of the draft')
    .action((name: string, options: DiffOptions) =>
      kit.online(options, 'Comparing', async ({ api }) => {
        const asked = [...numbered('from', options.from), ...numbered('to', options.to)]
        const query = new URLSearchParams(asked).toString()
        const diff = await api.get(`${place(name)}/diff${query === '' ? '' : `?${query}`}`)
        kit.show(options, diff, () => diffLines(kit, diff))
      }),
    )
  leaf(virtual, 'versions <group/server>', 'everything that was published, the latest first').action(
    (name: string, options: SharedOptions) =>
      kit.online(options, 'Listing publications', async ({ api }) => {
        const { items, why = 'Nothing was published yet.' } = await api.list(`${place(name)}/publications`)
        kit.showList(options, { items, why }, versionColumns)
      }),
  )
}

function numbered(name: string, text: string | undefined): [string, string][] {
  return text === undefined ? [] : [[name, String(numberOf(text))]]
}

function numberOf(text: string): number {
  const number = /^[0-9]{1,9}$/.test(text) ? Number(text) : 0
  if (number < 1)
    fail('cli.usage', {
      why: `${text} is no number of a publication.`,
      fix: 'See: gatehouse virtual versions <group/server>.',
    })
  return number
}

function addWritingCommands(virtual: Command, kit: Kit): void {
  leaf(virtual, 'draft', 'write the draft of a virtual server, new or not; what is served stays')
    .requiredOption('-f, --file <file>', 'one virtual server as a manifest has it, in YAML; - reads stdin')
    .action((options: SharedOptions & { file: string }) =>
      kit.online(options, 'Saving the draft', async ({ api }) => {
        const { group, name, ...body } = readVirtualServer(readText(kit, options.file))
        const saved = await api.put(`${path`/virtual-servers/${group}/${name}`}/draft`, body)
        kit.show(options, saved, () => draftedLines(`${group}/${name}`))
      }),
    )
  leaf(
    virtual,
    'remove <group/server>',
    'remove a virtual server with its publications and its own grants',
  ).action((name: string, options: SharedOptions) =>
    kit.online(options, 'Removing the virtual server', async ({ api }) => {
      await api.remove(place(name))
      kit.show(options, { removed: name }, () => [`Removed the virtual server ${name}.`])
    }),
  )
}

function addServingCommands(virtual: Command, kit: Kit): void {
  const served = (options: SharedOptions, name: string, answer: JsonObject) =>
    kit.show(options, answer, () => [publishedLine(name, answer)])
  leaf(virtual, 'publish <group/server>', 'serve the draft from now on').action(
    (name: string, options: SharedOptions) =>
      kit.online(options, 'Publishing', async ({ api }) =>
        served(options, name, await api.post(`${place(name)}/publish`, {})),
      ),
  )
  leaf(virtual, 'rollback <group/server> <number>', 'serve again what was published under a number').action(
    (name: string, number: string, options: SharedOptions) =>
      kit.online(options, 'Rolling back', async ({ api }) =>
        served(options, name, await api.post(`${place(name)}/roll-back`, { number: numberOf(number) })),
      ),
  )
}
