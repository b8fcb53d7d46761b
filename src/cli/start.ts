/** `gatehouse start`: the gateway itself, until it is told to stop. */
import type { Command } from 'commander'
import type { Config } from '../config/schema.ts'
import { lockDataDirectory, socketPathOf } from '../data-directory.ts'
import { fail } from '../foundation/errors.ts'
import { isLoopback } from '../foundation/guards.ts'
import { openLog } from '../foundation/log.ts'
import { nearest } from '../foundation/nearest.ts'
import type { Gateway } from '../gateway.ts'
import { type Listening, listen } from '../listen.ts'
import { openAnnouncer, welcome } from './announcer.ts'
import { openDemo } from './demo.ts'
import type { Kit, SharedOptions } from './kit.ts'
import { listenForSignals, untilToldToStop } from './stop.ts'

type StartOptions = SharedOptions &
  Readonly<Record<'host' | 'port' | 'publicUrl' | 'databaseUrl' | 'logLevel', string | undefined>> & {
    readonly demo?: boolean
  }

export function addStartCommand(program: Command, kit: Kit): void {
  const start = program
    .command('start', { isDefault: true })
    .description('start the gateway (the default command)')
  start
    .option('--host <address>', 'address to listen on')
    .option('--port <port>', 'port to listen on; 0 picks a free one')
    .option('--public-url <url>', 'the URL clients use, when a proxy stands in front')
    .option('--database-url <url>', 'PostgreSQL instead of SQLite')
    .option('--log-level <level>', 'debug, info, warn, error or silent')
    .option('--data-dir <directory>', 'directory of the database, keys, spool and local socket')
    .option('--config <file>', 'configuration file')
    .option('--json', 'one JSON line for each event, as without a terminal')
    .option('--demo', 'also register real MCP servers, give access to them and call them')
    .allowExcessArguments()
    .action((options: StartOptions) =>
      kit.run(options, async () => {
        refuseUnknownCommand(program, start.args)
        await run(kit, options)
      }),
    )
}

/** A misspelt command looks like an argument of the default one. */
function refuseUnknownCommand(program: Command, words: readonly string[]): void {
  const [word] = words
  if (word === undefined) return
  const meant = nearest(
    word,
    program.commands.map(command => command.name()),
  )
  fail('cli.usage', {
    why: `There is no command ${word}.`,
    fix: meant === undefined ? 'See: gatehouse --help.' : `Did you mean ${meant}?`,
  })
}

async function run(kit: Kit, options: StartOptions): Promise<void> {
  const { host, port, publicUrl, databaseUrl, logLevel } = options
  const config = kit.readConfig(options, { host, port, publicUrl, databaseUrl, logLevel })
  const announcer = openAnnouncer(kit, options)
  const signals = listenForSignals()
  const lock = await lockDataDirectory(config.dataDir)
  try {
    const gateway = await open(kit, config)
    try {
      await refuseToBeOpen(config, gateway)
      const listening = await listenFor(gateway, config)
      const url = listening.url ?? ''
      gateway.listening(url)
      await welcome(announcer, { config, gateway, url })
      const demo = options.demo ? openDemo({ kit, announcer, config, url }) : undefined
      await untilToldToStop(signals, listening, announcer)
      await demo?.close()
    } finally {
      await gateway.close()
    }
  } finally {
    lock.release()
  }
  announcer.tell({ event: 'stopped' }, 'Stopped.')
}

async function open(kit: Kit, config: Config): Promise<Gateway> {
  const { createGateway } = await import('../gateway.ts')
  return createGateway(config, openLog(config.logLevel), kit.environment)
}

async function refuseToBeOpen({ host }: Config, gateway: Gateway): Promise<void> {
  if (isLoopback(host) || (await gateway.hasAdmin())) return
  fail('config.no_admin', {
    why: `${host} can be reached from other machines, and this gateway has no admin yet.`,
  })
}

function listenFor(gateway: Gateway, { host, port, dataDir }: Config): Promise<Listening> {
  return listen({ ...gateway, tcp: { host, port }, socketPath: socketPathOf(dataDir) })
}
