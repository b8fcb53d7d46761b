/** What `start` says: to a person in words, to a program one line of JSON for each event. */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../config/schema.ts'
import { version } from '../foundation/version.ts'
import type { Gateway } from '../gateway.ts'
import { type Kit, type SharedOptions, wantsJson } from './kit.ts'

type Event = { readonly event: string } & Readonly<Record<string, unknown>>

export type Announcer = {
  /** Does a person read along? */
  readonly toPerson: boolean
  /** How a command is typed here: `gatehouse <words>`, or through npm in a checkout. */
  command(words: string): string
  tell(event: Event, ...lines: readonly string[]): void
}

export function openAnnouncer(kit: Kit, options: SharedOptions): Announcer {
  const toPerson = kit.terminal.isInteractive && !wantsJson(options)
  const prefix = kit.environment.npm_lifecycle_event === 'start' ? 'npm start --' : 'gatehouse'
  return {
    toPerson,
    command: words => kit.terminal.paint('bold', `${prefix} ${words}`),
    tell(event, ...lines) {
      if (!toPerson) kit.terminal.line(JSON.stringify({ at: new Date().toISOString(), ...event }))
      else for (const line of lines) kit.terminal.line(line)
    },
  }
}

type Started = { readonly config: Config; readonly gateway: Gateway; readonly url: string }

/** What was made and opened, the claim link while there is no admin, and what to do next. */
export async function welcome(announcer: Announcer, { config, gateway, url }: Started): Promise<void> {
  const database = config.databaseUrl === undefined ? 'SQLite' : 'PostgreSQL'
  const { dataDir } = config
  announcer.tell(
    { event: 'listening', url, dataDir, database, version, node: process.version },
    `Gatehouse ${version}   node ${process.version}`,
    `  data       ${dataDir}`,
    `  database   ${database}${config.databaseUrl === undefined ? '; for teams set DATABASE_URL' : ''}`,
    `  keys       ${join(dataDir, 'keys', 'master.key')}; back it up: ${announcer.command('keys backup <file>')}`,
    `  listening  ${url}`,
    '',
  )
  const step = await showClaim(announcer, { config, gateway, url })
  announcer.tell(
    { event: 'ready' },
    `  ${step}  Register a server:  ${announcer.command('server add --help')}`,
    `  ${step + 1}  Connect a client:   ${announcer.command('connect claude-code')}`,
    '',
    `  Stop: Ctrl-C   Check: ${announcer.command('doctor')}`,
    '',
  )
}

/** Returns the number of the next step. The link is for eyes only: without a person it goes to a file of the owner. */
async function showClaim(announcer: Announcer, { config, gateway, url }: Started): Promise<number> {
  const file = join(config.dataDir, 'claim-link')
  rmSync(file, { force: true })
  const claim = await gateway.openClaim()
  if (claim === undefined) return 1
  const base = config.publicUrl?.replace(/\/$/, '') ?? url
  const link = `${base}/claim#${claim.secret.reveal()}`
  const expiresAt = new Date(claim.expiresAt).toISOString()
  if (!announcer.toPerson) writeFileSync(file, `${link}\n`, { mode: 0o600 })
  announcer.tell(
    { event: 'claim', file, expiresAt },
    '  1  Claim it; the link works once, within 15 minutes:',
    `     ${link}`,
  )
  return 2
}
