/** The management API as commands call it. */
import { fail } from '../foundation/errors.ts'
import { isObject, type JsonObject } from '../foundation/json.ts'
import { ToldError } from './command-error.ts'
import type { Reach } from './reach.ts'

export type Api = {
  get(path: string): Promise<JsonObject>
  post(path: string, body: JsonObject): Promise<JsonObject>
  patch(path: string, body: JsonObject): Promise<JsonObject>
  put(path: string, body?: JsonObject): Promise<JsonObject>
  remove(path: string): Promise<JsonObject>
  /** The items of a list, and the reason when there are none. */
  list(path: string): Promise<{ items: JsonObject[]; why: string | undefined }>
}

export function openApi(reach: Reach): Api {
  const call = (method: string, path: string, body?: JsonObject) => ask(reach, { method, path, body })
  return {
    get: path => call('GET', path),
    post: (path, body) => call('POST', path, body),
    patch: (path, body) => call('PATCH', path, body),
    put: (path, body) => call('PUT', path, body),
    remove: path => call('DELETE', path),
    async list(path) {
      const { items, why } = await call('GET', path)
      if (!Array.isArray(items)) return fail('cli.bad_answer', { why: `GET ${path} did not answer a list.` })
      return { items: items.filter(isObject), why: why === undefined ? undefined : String(why) }
    },
  }
}

/** A path of the API from its parts, each written so that no character of it reads as structure. */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return String.raw({ raw: parts }, ...values.map(encodeURIComponent))
}

type Asked = { readonly method: string; readonly path: string; readonly body: JsonObject | undefined }

async function ask(reach: Reach, { method, path: where, body }: Asked): Promise<JsonObject> {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (reach.token !== undefined) headers.authorization = `Bearer ${reach.token.reveal()}`
  if (body !== undefined) headers['content-type'] = 'application/json'
  const init: RequestInit = { method, headers, redirect: 'error' }
  if (body !== undefined) init.body = JSON.stringify(body)
  const response = await reach
    .fetch(reach.url(`api/v1${where}`), init)
    .catch((cause: unknown) =>
      fail('cli.unreachable', { why: `Nothing answered at ${reach.name} (${reasonOf(cause)}).`, cause }),
    )
  const text = await response.text()
  if (response.ok && text === '') return {}
  const answer = parsed(text)
  if (answer === undefined)
    return fail('cli.bad_answer', {
      why: `${method} ${where} answered ${response.status} without a JSON object.`,
    })
  if (!response.ok) throw new ToldError(answer)
  return answer
}

function parsed(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function reasonOf(thrown: unknown): string {
  const cause = thrown instanceof Error && thrown.cause !== undefined ? thrown.cause : thrown
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
}
