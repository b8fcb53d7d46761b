/** From a definition and what its sources offer to what its callers see. Pure: the same from the same, in every process. */
import { covers } from '../access/index.ts'
import type { CatalogueItem, ItemKind, Upstream } from '../upstreams/index.ts'
import { Composition, type Home, type Item, type Missing } from './composition.ts'
import type { Definition, PromptChoice, Source, ToolChoice } from './definition.ts'
import { type Clash, nameAll, originOf } from './names.ts'
import { lackingArgument, reshaped, strangeArgument } from './reshape.ts'

/** What is known of a source. */
export type Offer = {
  readonly upstream: Upstream
  readonly items: readonly CatalogueItem[]
  /** Why nothing, or not the latest, is known of it. */
  readonly trouble: string | undefined
  /** Was it ever read? Otherwise nothing can be said of what it has not. */
  readonly isRead: boolean
  /** May the tool be offered to anybody at all: its server's own rule allows it? */
  allows(tool: string): boolean
  isReadOnly(tool: string): boolean
}

/** A thing that was chosen, before it has its name. */
type Chosen = {
  readonly from: string
  readonly own: string
  readonly alias: string | undefined
  readonly kind: ItemKind
  readonly offer: Offer
  readonly definition: string
  readonly choice: Exclude<ToolChoice, string> | undefined
}

export type Strange = {
  readonly server: string
  readonly tool: string
  readonly argument: string
  /** The tool has no such argument, or needs it and nobody could send it. */
  readonly reason: 'unknown' | 'lacking'
}

export type Composed = {
  readonly composition: Composition
  readonly clashes: readonly Clash[]
  /** Names and globs that chose nothing, as `group/server choice`. */
  readonly idle: readonly string[]
  /** Arguments that rules say something of which cannot be. */
  readonly strange: readonly Strange[]
  /** The name or URI of everything that has one by rule, by its origin: what the next publication keeps. */
  readonly settled: ReadonlyMap<string, string>
}

export type ComposeInput = {
  readonly definition: Definition
  readonly home: Home
  /** By `group/server`; undefined where there is no such server any more. */
  offer(server: string): Offer | undefined
  readonly settled?: ReadonlyMap<string, string>
}

export function compose({ definition, home, offer, settled = new Map() }: ComposeInput): Composed {
  const { chosen, sources, missing, idle, unread } = gathered(definition, offer)
  const names = new Map([...settled].filter(([key]) => unread.has(key.split(' ')[1] ?? '')))
  const items: Item[] = []
  const clashes: Clash[] = []
  for (const kind of ['tool', 'resource', 'template', 'prompt'] as const) {
    const things = chosen.filter(thing => thing.kind === kind)
    const reserved = [...names].filter(([key]) => key.startsWith(`${kind} `)).map(([, name]) => name)
    const before = settledOf(kind, settled)
    const named = isNamed(kind) ? nameAll(things, before, reserved) : unique(things, before)
    clashes.push(...named.clashes)
    for (const [name, thing] of named.byName) {
      if (thing.alias === undefined) names.set(`${kind} ${originOf(thing)}`, name)
      items.push(itemOf(name, thing, home))
    }
  }
  const twice = aliasClashes(definition).filter(({ name }) => clashes.every(clash => clash.name !== name))
  clashes.push(...twice)
  missing.push(...clashes.map(missingOf))
  const strange = chosen.flatMap(strangeOf)
  return { composition: new Composition(items, sources, missing), clashes, idle, strange, settled: names }
}

function gathered(definition: Definition, offer: ComposeInput['offer']) {
  const chosen: Chosen[] = []
  const sources: Upstream[] = []
  const missing: Missing[] = []
  const idle: string[] = []
  const unread = new Set<string>()
  for (const source of definition.sources) {
    const { server } = source
    const found = offer(server)
    if (found === undefined) {
      missing.push({ server, why: 'There is no such server any more.', reason: 'gone' })
      continue
    }
    if (found.trouble !== undefined) missing.push({ server, why: found.trouble, reason: 'trouble' })
    if (!found.isRead) unread.add(server)
    sources.push(found.upstream)
    chosen.push(...chosenOf(source, found, idle))
  }
  return { chosen, sources, missing, idle, unread }
}

/** What a list says of a name that several things would have: what was published with it keeps it. */
function missingOf({ name, of }: Clash): Missing {
  const why = `They all would be ${JSON.stringify(name.slice(0, 200))}, and only what had it before is there.`
  return { server: of.join(', '), why, reason: 'clash' }
}

/** Names that the author gave to several things, whether or not these are known yet. */
function aliasClashes({ sources }: Definition): Clash[] {
  const given = (key: 'tools' | 'prompts') =>
    sources.flatMap(({ server: from, [key]: choices }) =>
      (Array.isArray(choices) ? choices : []).flatMap((choice: ToolChoice | PromptChoice) =>
        typeof choice === 'string' || choice.as === undefined
          ? []
          : [{ from, own: choice.name, as: choice.as }],
      ),
    )
  return [given('tools'), given('prompts')].flatMap(all =>
    [...Map.groupBy(all, each => each.as)]
      .filter(([, of]) => of.length > 1)
      .map(([name, of]) => ({ name, of: of.map(originOf) })),
  )
}

function strangeOf({ from, own, definition, choice }: Chosen): Strange[] {
  const rules = choice?.arguments
  if (rules === undefined) return []
  const at = { server: from, tool: own }
  const [unknown, lacking] = [strangeArgument(definition, rules), lackingArgument(definition, rules)]
  return [
    ...(unknown === undefined ? [] : [{ ...at, argument: unknown, reason: 'unknown' as const }]),
    ...(lacking === undefined ? [] : [{ ...at, argument: lacking, reason: 'lacking' as const }]),
  ]
}

function isNamed(kind: ItemKind): boolean {
  return kind === 'tool' || kind === 'prompt'
}

function settledOf(kind: ItemKind, settled: ReadonlyMap<string, string>): Map<string, string> {
  const prefix = `${kind} `
  return new Map(
    [...settled]
      .filter(([key]) => key.startsWith(prefix))
      .map(([key, name]) => [key.slice(prefix.length), name]),
  )
}

/** URIs are what servers and their results call things, so they stay: whose one was before; of two that have one newly it is nobody's. */
function unique(things: readonly Chosen[], settled: ReadonlyMap<string, string>) {
  const byName = new Map<string, Chosen>()
  const clashes: Clash[] = []
  for (const [name, of] of Map.groupBy(things, ({ own }) => own)) {
    const before = of.length === 1 ? of : of.filter(thing => settled.has(originOf(thing)))
    const [only] = before
    if (only !== undefined && before.length === 1) byName.set(name, only)
    if (of.length > 1) clashes.push({ name, of: of.map(originOf) })
  }
  return { byName, clashes }
}

function itemOf(name: string, { kind, own, offer, definition, choice }: Chosen, home: Home): Item {
  const look = { name, ...choice, as: undefined }
  return {
    kind,
    name,
    own,
    source: offer.upstream,
    home,
    homeName: name,
    definition: isNamed(kind) ? reshaped(definition, own, { ...look, name }) : definition,
    arguments: choice?.arguments,
  }
}

function chosenOf(source: Source, offer: Offer, idle: string[]): Chosen[] {
  const isWhole = source.tools === undefined && source.resources === undefined && source.prompts === undefined
  const nothing = isWhole ? ('all' as const) : []
  const choose = (kind: ItemKind, choices: 'all' | 'readOnly' | readonly (ToolChoice | PromptChoice)[]) =>
    chosenItems(source, offer, { kind, choices, idle })
  const resources = source.resources ?? nothing
  return [
    ...choose('tool', source.tools ?? nothing),
    ...choose('resource', resources),
    ...choose('template', resources),
    ...choose('prompt', source.prompts ?? nothing),
  ]
}

type Choosing = {
  readonly kind: ItemKind
  readonly choices: 'all' | 'readOnly' | readonly (ToolChoice | PromptChoice)[]
  readonly idle: string[]
}

function chosenItems(source: Source, offer: Offer, { kind, choices, idle }: Choosing): Chosen[] {
  const items = offer.items.filter(item => item.kind === kind && (kind !== 'tool' || offer.allows(item.name)))
  if (typeof choices === 'string') {
    const isChosen = ({ name }: CatalogueItem) => choices === 'all' || offer.isReadOnly(name)
    return items.filter(isChosen).map(item => chosenAs(source, offer, item, undefined))
  }
  const used = new Set<string>()
  const chosen = items.flatMap(item => {
    const found = choiceFor(choices, item.name)
    if (found === undefined) return []
    used.add(found.text)
    return [chosenAs(source, offer, item, found.choice)]
  })
  // A URI glob may be about templates alone, and the other way round.
  if (offer.isRead && (kind === 'tool' || kind === 'prompt'))
    for (const choice of choices) {
      const text = textOf(choice)
      if (!used.has(text) && !items.some(item => covers(text, item.name)))
        idle.push(`${source.server} ${text}`)
    }
  return chosen
}

function textOf(choice: ToolChoice | PromptChoice): string {
  return typeof choice === 'string' ? choice : choice.name
}

// What is said of one tool by its name goes before what a glob says of many.
function choiceFor(choices: readonly (ToolChoice | PromptChoice)[], name: string) {
  const exact = choices.find(choice => typeof choice !== 'string' && choice.name === name)
  const found = exact ?? choices.find(choice => typeof choice === 'string' && covers(choice, name))
  if (found === undefined) return undefined
  return { text: textOf(found), choice: typeof found === 'string' ? undefined : found }
}

function chosenAs(
  { server }: Source,
  offer: Offer,
  { kind, name, definition }: CatalogueItem,
  choice: Chosen['choice'],
): Chosen {
  return { from: server, own: name, alias: choice?.as, kind, offer, definition, choice }
}
