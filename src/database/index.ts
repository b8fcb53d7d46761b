export { type Database, type DatabaseOptions, openDatabase } from './open.ts'
export type { Tables } from './tables.ts'
