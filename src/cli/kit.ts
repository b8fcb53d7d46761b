/** What every command is made with: its options, its way to the gateway, and how it ends. */
import type { Command } from 'commander'
import { type Environment, loadConfig } from '../config/load.ts'
import type { Config } from '../config/schema.ts'
import type { JsonObject } from '../foundation/json.ts'
import { type Api, openApi } from './api.ts'
import { exitCodeOf, exitCodes, faceFrom, printError } from './command-error.ts'
import { openReach, type Reach } from './reach.ts'
import { type Column, table } from './table.ts'
import type { Terminal } from './terminal.ts'

/** Options every command takes. */
export type SharedOptions = {
  readonly json?: boolean | string
  readonly dataDir?: string
  readonly config?: string
}

export type Session = { readonly api: Api; readonly reach: Reach }

export type Kit = {
  readonly terminal: Terminal
  readonly environment: Environment
  readonly workingDirectory: string
  setExitCode(code: number): void
  readConfig(options: SharedOptions, flags?: Readonly<Record<string, string | undefined>>): Config
  /** Runs a command that needs no gateway. */
  run(options: SharedOptions, work: () => Promise<void> | void): Promise<void>
  /** Runs a command against the gateway; `doing` is shown when it takes long. */
  online(options: SharedOptions, doing: string, work: (session: Session) => Promise<void>): Promise<void>
  /** The answer of a command: JSON when asked for, else lines for people. */
  show(options: SharedOptions, value: unknown, lines: () => readonly string[]): void
  showList(
    options: SharedOptions,
    list: { items: JsonObject[]; why: string | undefined },
    columns: readonly Column[],
  ): void
}

type Surroundings = Pick<Kit, 'terminal' | 'environment' | 'workingDirectory' | 'setExitCode'>

export function openKit(surroundings: Surroundings): Kit {
  const { terminal, environment, workingDirectory } = surroundings
  const kit: Kit = {
    terminal,
    environment,
    workingDirectory,
    setExitCode: surroundings.setExitCode,
    readConfig: (options, flags = {}) =>
      loadConfig({
        environment,
        workingDirectory,
        file: options.config,
        flags: { dataDir: options.dataDir, ...flags },
      }),
    async run(options, work) {
      try {
        await work()
      } catch (thrown) {
        surroundings.setExitCode(report(terminal, thrown, wantsJson(options)))
      }
    },
    online: (options, doing, work) =>
      kit.run(options, async () => {
        await terminal.working(
          doing,
          connected(() => openReach(environment, () => kit.readConfig(options)), work),
        )
      }),
    show(options, value, lines) {
      if (wantsJson(options)) terminal.line(jsonText(value, terminal))
      else for (const line of lines()) terminal.line(line)
    },
    showList: (options, list, columns) =>
      kit.show(options, list, () =>
        list.items.length === 0 ? [list.why ?? 'There are none.'] : table(list.items, columns),
      ),
  }
  return kit
}

async function connected(
  open: () => Promise<Reach>,
  work: (session: Session) => Promise<void>,
): Promise<void> {
  const reach = await open()
  try {
    await work({ api: openApi(reach), reach })
  } finally {
    await reach.close()
  }
}

export function wantsJson(options: SharedOptions): boolean {
  return options.json !== undefined && options.json !== false
}

/** One line for programs, indented for people. */
export function jsonText(value: unknown, { isInteractive }: Terminal): string {
  return JSON.stringify(value, undefined, isInteractive ? 2 : undefined)
}

/** Prints an error and says with which code the command ends. */
export function report(terminal: Terminal, thrown: unknown, asJson: boolean): number {
  const face = faceFrom(thrown)
  printError(terminal, face, asJson)
  if (face.code === 'internal.unexpected' && thrown instanceof Error)
    terminal.note(thrown.stack ?? thrown.message)
  return exitCodeOf(face) || exitCodes.failed
}

/** A command under another, with the options every command takes. */
export function leaf(parent: Command, usage: string, summary: string): Command {
  return shared(parent.command(usage).description(summary)).option('--json', 'answer as JSON')
}

/** The options every command takes, but --json. */
export function shared(command: Command): Command {
  return command
    .option('--data-dir <directory>', 'data directory of the gateway on this machine')
    .option('--config <file>', 'configuration file')
}

/** `a,b` as a list; an option given more than once adds up. */
export function commaList(text: string, before: readonly string[] = []): string[] {
  const items = text.split(',').map(item => item.trim())
  return [...before, ...items.filter(item => item !== '')]
}

export function oneMore(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}
