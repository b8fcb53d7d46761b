import type { Kysely } from 'kysely'
import { stringify } from 'yaml'
import type { z } from 'zod'
import type { Tables } from '../database/index.ts'
import { canonical, isObject, type JsonObject } from '../foundation/json.ts'
import type { DeclaredVirtual } from '../servers/index.ts'
import { sections } from './prune.ts'
import { thingSchemas } from './schema.ts'
import { type Rooms, readState } from './state.ts'

/** The whole instance as a manifest in YAML: applying it changes nothing. Secrets are references; defaults are left out. */
export async function exportManifest(rooms: Rooms, database: Kysely<Tables>): Promise<string> {
  const state = await readState(rooms, database)
  const shown = {
    ...state,
    identityProviders: state.identityProviders.map(({ input }) => input),
    users: state.users.map(({ email, role }) => ({ email, role })),
    servers: state.servers.map(rooms.register.manifest.show),
    virtualServers: state.virtualServers.flatMap(shownVirtual),
  }
  const written = sections
    .filter(section => shown[section].length > 0)
    .map(section => [section, shown[section].map(thing => withoutDefaults(thingSchemas[section], thing))])
  return stringify(Object.fromEntries(written), { lineWidth: 0 })
}

/** As it is served. What waits as a draft, or was never published, is no part of it. */
function shownVirtual({ published, draft: _, ...about }: DeclaredVirtual) {
  return published === undefined ? [] : [{ ...about, ...published }]
}

/** The shortest value that the schema reads as the same: every key is left out whose absence changes nothing. */
function withoutDefaults(schema: z.ZodType, value: unknown): unknown {
  const meaning = (candidate: unknown) => {
    const parsed = schema.safeParse(candidate)
    return parsed.success ? canonical(parsed.data) : undefined
  }
  const whole = meaning(value)
  return shorten(value, candidate => meaning(candidate) === whole)
}

function shorten(value: unknown, isSame: (candidate: unknown) => boolean): unknown {
  if (!isObject(value)) return value
  let kept: JsonObject = value
  for (const key of Object.keys(value)) {
    const { [key]: part, ...rest } = kept
    const before = kept
    kept = isSame(rest)
      ? rest
      : { ...before, [key]: shorten(part, shorter => isSame({ ...before, [key]: shorter })) }
  }
  return kept
}
