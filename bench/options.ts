/** What can be asked of the bench on its command line. */
import { parseArgs } from 'node:util'
import { isShape, type Shape, shapes } from './calls.ts'

export type Options = {
  quick: boolean
  json: boolean
  streams: boolean
  withGateway: boolean
  rounds: number
  only: readonly Shape[]
  slug: string
}

export const usage = `npm run bench -- [options]
  --quick            short windows, ends within 50 s, writes no file
  --json             the summary as one line of JSON, last on stdout; the table goes to stderr
  --rounds <n>       rounds (default 5)
  --only <shapes>    of ${shapes.join(',')}
  --without-gateway  measure the others
  --streams          instead: memory of 2,000 idle streams
  --slug <name>      end of the result file's name`

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      streams: { type: 'boolean', default: false },
      'without-gateway': { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string', default: shapes.join(',') },
      slug: { type: 'string', default: `node${process.versions.node.split('.')[0]}` },
    },
  })
  const only = values.only.split(',')
  const rounds = Number(values.rounds ?? 5)
  if (!only.every(isShape)) throw new Error(`--only takes ${shapes.join(',')}, not ${values.only}`)
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds takes a number from 1, not ${values.rounds}`)
  if (!/^[a-z0-9-]+$/.test(values.slug)) throw new Error('--slug takes a-z, 0-9 and -')
  const { quick, json, streams, slug } = values
  return { quick, json, streams, withGateway: !values['without-gateway'], rounds, only, slug }
}
