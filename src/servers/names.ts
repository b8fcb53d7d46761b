/** What tools and prompts of several servers are called behind one address: the same for everybody, and the same tomorrow. */
import { hash } from 'node:crypto'

/** A thing that needs a name among those of other servers. */
export type Nameless = {
  /** `group/server` it is from. */
  readonly from: string
  /** What its server calls it. */
  readonly own: string
  /** What the author calls it; that always wins. */
  readonly alias: string | undefined
}

export type Clash = {
  readonly name: string
  /** The things that would have it, as `group/server own`. */
  readonly of: readonly string[]
}

export type Named<Thing> = {
  readonly byName: ReadonlyMap<string, Thing>
  readonly clashes: readonly Clash[]
}

/** Clients put their own prefix before a name and allow 64 characters in all too rarely to go beyond them. */
const longest = 64
const usable = /^[A-Za-z0-9_.-]+$/

/** The name itself where every client takes it; otherwise as much of it as they take, and a mark of what it was. */
export function visible(own: string): string {
  if (usable.test(own) && own.length <= longest) return own
  const mark = hash('sha256', own).slice(0, 8)
  return `${own.replaceAll(/[^A-Za-z0-9_.-]/g, '_').slice(0, longest - mark.length - 1)}_${mark}`
}

/** Where a thing is from, and what it is called there: never the same for two. */
export function originOf({ from, own }: Pick<Nameless, 'from' | 'own'>): string {
  return `${from} ${own}`
}

/**
 * Names for all. An alias wins; then what was `settled` before; then a thing's own name where nobody else has it, `server__name` where
 * somebody does, `group__server__name` where that is not enough. What still clashes has no name: it is never guessed who was meant. `reserved` names
 * are of things that are not known at this moment.
 */
export function nameAll<Thing extends Nameless>(
  things: readonly Thing[],
  settled: ReadonlyMap<string, string> = new Map(),
  reserved: Iterable<string> = [],
): Named<Thing> {
  const wanted = new Map<string, Thing[]>()
  const want = (name: string, thing: Thing) => {
    const list = wanted.get(name)
    if (list === undefined) wanted.set(name, [thing])
    else list.push(thing)
  }
  const rest: Thing[] = []
  for (const thing of things) {
    const name = thing.alias ?? settled.get(originOf(thing))
    if (name === undefined) rest.push(thing)
    else want(name, thing)
  }
  const taken = new Set([...wanted.keys(), ...reserved])
  const levels = [plain, withServer, withGroup]
  let open = rest
  for (const level of levels) open = nameFree(open, { level, taken, want })
  const { byName, clashes } = resultOf(wanted)
  for (const [name, of] of Map.groupBy(open, withGroup)) {
    const holder = byName.get(name)
    clashes.push({ name, of: [...(holder === undefined ? [] : [holder]), ...of].map(originOf) })
  }
  return { byName, clashes }
}

type Level = (thing: Nameless) => string

const plain: Level = ({ own }) => visible(own)
const withServer: Level = ({ from, own }) => visible(`${from.split('/')[1]}__${own}`)
const withGroup: Level = ({ from, own }) => visible(`${from.replace('/', '__')}__${own}`)

/** Names those whose name on this level is free and wanted by nobody else; gives back the others. */
function nameFree<Thing extends Nameless>(
  things: readonly Thing[],
  { level, taken, want }: { level: Level; taken: Set<string>; want(name: string, thing: Thing): void },
): Thing[] {
  const count = new Map<string, number>()
  for (const thing of things) count.set(level(thing), (count.get(level(thing)) ?? 0) + 1)
  const isFree = (thing: Thing) => count.get(level(thing)) === 1 && !taken.has(level(thing))
  const free = things.filter(isFree)
  const others = things.filter(thing => !isFree(thing))
  // A name that several want is nobody's on any level, or it would depend on who comes first.
  for (const name of count.keys()) taken.add(name)
  for (const thing of free) want(level(thing), thing)
  return others
}

function resultOf<Thing extends Nameless>(wanted: ReadonlyMap<string, readonly Thing[]>) {
  const byName = new Map<string, Thing>()
  const clashes: Clash[] = []
  for (const [name, [first, ...more]] of wanted) {
    if (first === undefined) continue
    if (more.length === 0) byName.set(name, first)
    else clashes.push({ name, of: [first, ...more].map(originOf) })
  }
  return { byName, clashes }
}
