import { stringify } from 'yaml'
import { z } from 'zod'
import type { JsonObject } from '../foundation/json.ts'
import { type DraftInput, draftSchema } from '../servers/index.ts'
import { refuse } from './problem.ts'
import { readSource } from './source.ts'
import { validateAs } from './validate.ts'

/** One virtual server, written as under `virtualServers` of a manifest. Throws `manifest.invalid` with every problem and its line. */
export function readVirtualServer(text: string): DraftInput {
  const read = readSource(text, { what: 'file', mostBytes: 1024 * 1024 })
  if ('problems' in read) return refuse(read.problems)
  const jsonSchema = () => ({ ...z.toJSONSchema(draftSchema, { io: 'input' }) })
  const validated = validateAs(read.source, draftSchema, jsonSchema)
  return 'problems' in validated ? refuse(validated.problems) : validated.value
}

/** The same in YAML, for people to read and to write back. */
export function writeVirtualServer(server: JsonObject): string {
  return stringify(server, { lineWidth: 0 })
}
