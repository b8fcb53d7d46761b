import { closeSync, openSync, readSync } from 'node:fs'
import type { Row } from '../database/index.ts'
import type { Log } from '../foundation/log.ts'
import { rowOf } from './row.ts'

type Wanted = {
  readonly path: string
  readonly start: number
  readonly end: number
  /** About how much to read; at least one line is. */
  readonly bytes: number
  readonly log: Log
}

const newline = 0x0a

/** Reads events back from a spool file. A last line without its end was never acknowledged and is dropped. */
export function readBack(wanted: Wanted): { readonly rows: readonly Row[]; readonly end: number } {
  const { path, log } = wanted
  const file = openOrMiss(path)
  if (file === undefined) {
    log.error({ path }, 'audit: a spool file is gone before it was in the database')
    return { rows: [], end: wanted.end }
  }
  try {
    const { lines, end } = wholeLines(file, wanted)
    return { rows: rowsOf(lines, wanted), end }
  } finally {
    closeSync(file)
  }
}

function openOrMiss(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

function wholeLines(
  file: number,
  { start, end, bytes }: Wanted,
): { readonly lines: Buffer; readonly end: number } {
  for (let size = bytes; ; size *= 2) {
    const buffer = Buffer.allocUnsafe(Math.min(size, end - start))
    const bytesRead = readSync(file, buffer, 0, buffer.length, start)
    const length = buffer.subarray(0, bytesRead).lastIndexOf(newline) + 1
    if (length > 0) return { lines: buffer.subarray(0, length), end: start + length }
    if (start + bytesRead >= end || bytesRead < buffer.length) return { lines: buffer.subarray(0, 0), end }
  }
}

function rowsOf(lines: Buffer, { path, log }: Wanted): Row[] {
  const rows: Row[] = []
  let start = 0
  while (start < lines.length) {
    const end = lines.indexOf(newline, start)
    // Line by line, for one string of all of them would be a large object, which the collector moves aside and keeps long.
    const row = rowOf(lines.toString('utf8', start, end))
    if (row !== undefined) rows.push(row)
    else log.error({ path, bytes: end - start }, 'audit: a damaged line of the spool is left out')
    start = end + 1
  }
  return rows
}
