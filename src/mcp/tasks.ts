/** Tasks of upstreams, under the names that their callers have for them. A name says which tool was called, so that every use of it is decided anew. */
import { fail } from '../foundation/errors.ts'
import type { Handles } from '../foundation/handles.ts'
import type { Principal } from '../identity/index.ts'
import type { Served } from '../servers/index.ts'

/** A caller and the server they talk to: what everything that is sealed is bound to. */
export type Owner = { readonly principal: Principal; readonly upstream: Served }

export function boundTo({ principal, upstream }: Owner): readonly string[] {
  return [principal.id, upstream.id]
}

/** A task as its server knows it, and the tool whose call it is. */
export type Task = { readonly id: string; readonly tool: string }

/** Ids longer than this would make names that do not fit into headers. */
const maxIdLength = 512
const tasksPerOwner = 256
const owners = 1000

export type TasksParts = {
  readonly handles: Handles
  /** May the caller call this tool now? */
  mayCall(owner: Owner, tool: string): boolean
}

export class Tasks {
  readonly #parts: TasksParts
  /** The tools of the latest tasks, for lists and notifications of servers, which name tasks only. */
  readonly #tools = new Map<string, Map<string, string>>()

  constructor(parts: TasksParts) {
    this.#parts = parts
  }

  /** The task that a name is of. Throws `access.task_unknown` for every name that is not this caller's on this server. */
  find(owner: Owner, name: unknown): Task {
    return this.findAny(owner, name) ?? fail('access.task_unknown')
  }

  /** The same; undefined for such a name. */
  findAny(owner: Owner, name: unknown): Task | undefined {
    const found = typeof name === 'string' && this.#parts.handles.open('task', boundTo(owner), name)
    if (!found || typeof found.task !== 'string' || typeof found.tool !== 'string') return undefined
    const task = { id: found.task, tool: found.tool }
    this.#remember(owner, task)
    return task
  }

  /** The same, where the caller may also call its tool; undefined where not. */
  findAllowed(owner: Owner, name: unknown): Task | undefined {
    const task = this.findAny(owner, name)
    return task !== undefined && this.#parts.mayCall(owner, task.tool) ? task : undefined
  }

  /** The caller's name for a task. Throws `upstream.bad_answer` for an id that is none. */
  name(owner: Owner, { id, tool }: Task): string {
    if (id === '' || id.length > maxIdLength)
      fail('upstream.bad_answer', {
        why: `It named a task with an id that is empty or longer than ${maxIdLength}.`,
      })
    this.#remember(owner, { id, tool })
    return this.#parts.handles.name('task', boundTo(owner), { task: id, tool })
  }

  /** The same; undefined where its tool is not the caller's any more. */
  nameAllowed(owner: Owner, task: Task): string | undefined {
    return this.#parts.mayCall(owner, task.tool) ? this.name(owner, task) : undefined
  }

  /** The caller's name for a task the server speaks of; undefined where it is not known to be theirs, or its tool is not any more. */
  heard(owner: Owner, id: unknown): string | undefined {
    if (typeof id !== 'string') return undefined
    const tool = this.#tools.get(keyOf(owner))?.get(id)
    return tool === undefined ? undefined : this.nameAllowed(owner, { id, tool })
  }

  #remember(owner: Owner, { id, tool }: Task): void {
    const key = keyOf(owner)
    const tools = this.#tools.get(key) ?? new Map<string, string>()
    setLatest(tools, { key: id, value: tool }, tasksPerOwner)
    setLatest(this.#tools, { key, value: tools }, owners)
  }
}

function keyOf(owner: Owner): string {
  return boundTo(owner).join('\n')
}

// The one that was not used for longest goes.
function setLatest<T>(map: Map<string, T>, { key, value }: { key: string; value: T }, most: number): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > most && oldest !== undefined) map.delete(oldest)
}
