import type { Migration } from 'kysely/migration'
import { first } from './0001-first.ts'

export type Dialect = 'sqlite' | 'postgres'

/** Every migration, forward only, by the name it is remembered under. Never change one that was released; add one. */
export function migrations(dialect: Dialect): Record<string, Migration> {
  return { '0001-first': first(dialect) }
}
