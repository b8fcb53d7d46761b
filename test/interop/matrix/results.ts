/** What a run of the matrix finds, as results.json keeps it. docs/interop.md says nothing else. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { ROOT } from '../../fixtures/process.ts'

const trouble = {
  /** The gateway's code, as its audit has it. */
  error: z.string().nullable(),
  /** The client's own words, shortened. */
  words: z.string().nullable(),
}

const cell = z.object({
  connect: z.boolean(),
  list: z.boolean(),
  /** The tool was called and gave the expected answer. */
  call: z.boolean(),
  /** Spoken between client and gateway, as the audit has it. */
  era: z.enum(['session', 'stateless']).nullable(),
  ...trouble,
})

const featureCell = z.object({
  /** The client has an API for it. */
  offered: z.boolean(),
  ok: z.boolean(),
  ...trouble,
})

const client = z.object({
  version: z.string(),
  /** The day of the run. */
  date: z.string(),
  cells: z.record(z.string(), cell),
  /** By server, then by feature. */
  features: z.record(z.string(), z.record(z.string(), featureCell)),
})

const results = z.object({
  servers: z.record(z.string(), z.object({ version: z.string() })),
  clients: z.record(z.string(), client),
})

export type Cell = z.infer<typeof cell>
export type FeatureCell = z.infer<typeof featureCell>
export type ClientResult = z.infer<typeof client>
export type Results = z.infer<typeof results>

const FILE = join(ROOT, 'test', 'interop', 'matrix', 'results.json')

/** The results of the runs that were committed. */
export function readResults(): Results {
  return results.parse(JSON.parse(readFileSync(FILE, 'utf8')))
}

export function writeResults(found: Results): void {
  writeFileSync(FILE, `${JSON.stringify(found, undefined, 2)}\n`)
}

/** The whole way worked. */
export function isGood(one: Cell): boolean {
  return one.connect && one.list && one.call
}
