import { type FileHandle, open } from 'node:fs/promises'
import { isObject } from '../foundation/json.ts'
import type { Log } from '../foundation/log.ts'
import type { AuditEvent } from './event.ts'
import type { Batch } from './spool.ts'

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
export async function readBack(wanted: Wanted): Promise<Batch & { readonly end: number }> {
  const { path, log } = wanted
  const file = await openOrMiss(path)
  if (file === undefined) {
    log.error({ path }, 'audit: a spool file is gone before it was in the database')
    return { events: [], lines: [], end: wanted.end }
  }
  try {
    const { text, end } = await wholeLines(file, wanted)
    return { ...parsed(text, wanted), end }
  } finally {
    await file.close()
  }
}

async function openOrMiss(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function wholeLines(
  file: FileHandle,
  { start, end, bytes }: Wanted,
): Promise<{ text: string; end: number }> {
  for (let size = bytes; ; size *= 2) {
    const buffer = Buffer.allocUnsafe(Math.min(size, end - start))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
    const last = buffer.subarray(0, bytesRead).lastIndexOf(newline)
    if (last >= 0) return { text: buffer.toString('utf8', 0, last), end: start + last + 1 }
    if (start + bytesRead >= end || bytesRead < buffer.length) return { text: '', end }
  }
}

function parsed(text: string, { path, log }: Wanted): Batch {
  const batch: Batch = { events: [], lines: [] }
  for (const line of text.split('\n')) {
    const event = text === '' ? undefined : parseEvent(line)
    if (event !== undefined) {
      batch.events.push(event)
      batch.lines.push(line)
    } else if (text !== '')
      log.error({ path, bytes: line.length }, 'audit: a damaged line of the spool is left out')
  }
  return batch
}

function parseEvent(line: string): AuditEvent | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return isEvent(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** Only what the table needs, so that an event written by another version still gets through. */
function isEvent(value: unknown): value is AuditEvent {
  if (!isObject(value) || !isObject(value.who) || !Number.isSafeInteger(value.at)) return false
  return [value.id, value.kind, value.action, value.outcome].every(member => typeof member === 'string')
}
