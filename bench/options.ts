/** What can be asked of the bench on its command line. */
import { parseArgs } from 'node:util'
import { type CallShape, isShape, shapes } from './calls.ts'

export type Options = {
  quick: boolean
  json: boolean
  /** How many idle streams to measure instead; 0 for the bench of calls. */
  streams: number
  /** The crossed cells, next to the straight one. */
  cells: boolean
  /** Virtual servers next to the plain one, and the list of everything next to the same bytes from memory. */
  composed: boolean
  /** Calls with a JWT of an identity provider next to those with a personal access token. */
  jwt: boolean
  /** Calls with a key for everybody, and with an account of the caller, next to those with nothing; and `equip` alone. */
  accounts: boolean
  /** A checkout of another version, whose gateway is measured in the same rounds. */
  against: string | undefined
  withGateway: boolean
  rounds: number
  only: readonly CallShape[]
  slug: string
}

export const usage = `npm run bench -- [options]
  --quick            short windows, ends within 50 s, writes no file
  --json             the summary as one line of JSON, last on stdout; the table goes to stderr
  --rounds <n>       rounds (default 5; 15 with --composed, --jwt or --accounts)
  --only <shapes>    of ${shapes.join(',')}
  --without-gateway  measure the others
  --cells            the four cells of client and server era, without the other yardsticks
  --composed         calls through virtual servers, and tools/list at /mcp over 20 servers and 1,000 tools
  --jwt              calls with a JWT of an identity provider, next to those with a token of the gateway
  --accounts         calls to a server at which the caller has an account, next to those to one that wants nothing; and equip alone
  --against <folder> also the gateway of another checkout, in the same rounds
  --streams [n]      instead: memory of idle streams of each kind (default 5,000)
  --slug <name>      end of the result file's name`

export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      cells: { type: 'boolean', default: false },
      composed: { type: 'boolean', default: false },
      jwt: { type: 'boolean', default: false },
      accounts: { type: 'boolean', default: false },
      against: { type: 'string' },
      streams: { type: 'boolean', default: false },
      'without-gateway': { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string', default: shapes.join(',') },
      slug: { type: 'string', default: `node${process.versions.node.split('.')[0]}` },
    },
  })
  const only = values.only.split(',')
  const isFine = values.composed || values.jwt || values.accounts
  const rounds = Number(values.rounds ?? (isFine && !values.quick ? 15 : 5))
  const streams = values.streams ? Number(positionals.shift() ?? 5000) : 0
  if (positionals.length > 0) throw new Error(`there is no ${positionals[0]}`)
  if (!Number.isInteger(streams) || streams < 0 || streams > 20_000)
    throw new Error('--streams takes a number from 1 to 20000')
  if (!only.every(isShape)) throw new Error(`--only takes ${shapes.join(',')}, not ${values.only}`)
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds takes a number from 1, not ${values.rounds}`)
  if (!/^[a-z0-9-]+$/.test(values.slug)) throw new Error('--slug takes a-z, 0-9 and -')
  const { quick, json, cells, composed, jwt, accounts, against, slug } = values
  const withGateway = !values['without-gateway']
  if (!withGateway && (cells || isFine || against !== undefined))
    throw new Error('--cells, --composed, --jwt, --accounts and --against need the gateway')
  if ([cells, composed, jwt, accounts].filter(Boolean).length > 1)
    throw new Error('--cells, --composed, --jwt and --accounts are benches of their own')
  return { quick, json, streams, cells, composed, jwt, accounts, against, withGateway, rounds, only, slug }
}
