/** What the providers of clouds have in common: packages that need not be installed, and failures of many kinds. */
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { asGatewayError, type ErrorCode, fail, GatewayError } from '../../../foundation/errors.ts'
import { isObject } from '../../../foundation/json.ts'
import type { Means } from './provider.ts'

const mostMilliseconds = 10_000

/** The package, once it is seen to have these classes. Throws `config.invalid`. */
export async function packageWith<T>(
  means: Means,
  name: string,
  fits: (loaded: unknown) => loaded is T,
): Promise<T> {
  const loaded = await means.load(name)
  if (fits(loaded)) return loaded
  return fail('config.invalid', {
    why: `The package ${name} is not of a version that Gatehouse knows.`,
    fix: `Install another one beside Gatehouse: npm install ${name}@latest`,
  })
}

export function hasClasses(loaded: unknown, names: readonly string[]): loaded is Record<string, unknown> {
  return isObject(loaded) && names.every(name => typeof loaded[name] === 'function')
}

/** Makes the client when it is first needed; one that could not be made is tried again. */
export function lazily<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make().catch(error => {
      made = undefined
      throw error
    })
    return made
  }
}

const bytes = z.custom<Uint8Array>(value => value instanceof Uint8Array)

/** Asks a cloud, and says what its failures and its answers mean. */
export async function asked(named: string, work: () => Promise<unknown>): Promise<unknown> {
  const ended = new AbortController()
  const late = sleep(mostMilliseconds, undefined, { signal: ended.signal, ref: false }).then(() =>
    fail('vault.key_unreachable', { why: `${named} does not answer in time.` }),
  )
  // Nobody hears it once the work is done.
  late.catch(() => undefined)
  try {
    return await Promise.race([work(), late])
  } catch (error) {
    if (error instanceof GatewayError) throw error
    const { code, how } = meaningOf(error)
    return fail(code, { why: `${named} ${how}.`, cause: asGatewayError(error) })
  } finally {
    ended.abort()
  }
}

/** The bytes at a place of an answer. Throws `vault.key_unreachable`. */
export function bytesOf(answer: unknown, name: string, named: string): Buffer {
  const found = bytes.safeParse(isObject(answer) ? answer[name] : undefined)
  if (found.success) return Buffer.from(found.data)
  return fail('vault.key_unreachable', { why: `${named} gives an answer that cannot be read.` })
}

/** gRPC: deadline, exhausted, internal, unavailable. */
const passingCodes: readonly unknown[] = [4, 8, 13, 14]

/** Refused is what stays so until somebody changes something. The text of the error may hold anything, so only its kind is told. */
function meaningOf(error: unknown): { code: ErrorCode; how: string } {
  if (!isObject(error)) return { code: 'vault.key_unreachable', how: 'cannot be asked' }
  const metadata = isObject(error.$metadata) ? error.$metadata : {}
  const status = Number(metadata.httpStatusCode ?? error.statusCode)
  const name = /^[A-Za-z]{1,60}$/.exec(String(error.name))?.[0] ?? 'Error'
  const isThrottled = /throttl|timeout/i.test(name) || status === 429
  const isRefusedByStatus = status >= 400 && status < 500
  const isRefusedByCode = typeof error.code === 'number' && !passingCodes.includes(error.code)
  const isRefused = !isThrottled && (isRefusedByStatus || isRefusedByCode)
  const code = isRefused ? 'vault.key_refused' : 'vault.key_unreachable'
  return { code, how: isRefused ? `refuses (${name})` : `cannot be asked (${name})` }
}
