/** Virtual servers as a person reads them. */
import { isObject, type JsonObject } from '../foundation/json.ts'
import { visibly } from '../foundation/visible.ts'
import { writeVirtualServer } from '../manifest/index.ts'
import type { Kit } from './kit.ts'
import { changeLines, objects } from './review-lines.ts'
import { cell, plain, table } from './table.ts'

/** One that can be edited and given back as a draft. */
export function shownLines(shown: JsonObject, wantsDraft: boolean): string[] {
  const { group, name, description, published, access, definition, draft } = shown
  const isDraft = wantsDraft || !isObject(definition)
  const written = isDraft ? draft : definition
  const place = `${String(group)}/${String(name)}`
  const what = isDraft ? 'the draft, not published' : `publication ${String(published)}, which is served`
  const more =
    isObject(draft) && !isDraft ? [`# There is a draft: gatehouse virtual show ${place} --draft`] : []
  if (!isObject(written))
    return [`There is no draft of ${place}: publication ${String(published)} is served.`]
  const about = description === '' ? {} : { description }
  return [`# ${what}`, ...more, ...yamlLines({ group, name, ...about, access, ...written })]
}

function yamlLines(value: JsonObject): string[] {
  return plain(visibly(writeVirtualServer(value)))
    .trimEnd()
    .split('\n')
}

export function draftedLines(name: string): string[] {
  return [
    `The draft of ${name} is saved; what is served stays.`,
    `  see     gatehouse virtual preview ${name}`,
    `          gatehouse virtual diff ${name}`,
    `  serve   gatehouse virtual publish ${name}`,
  ]
}

export function publishedLine(name: string, { published }: JsonObject): string {
  return `${name} serves publication ${String(published)}.`
}

export function previewLines(kit: Kit, { items, missing, problems }: JsonObject): string[] {
  const listed = objects(items)
  const rows = table(listed, [
    ['KIND', 'kind'],
    ['NAME', 'name'],
    ['SOURCE', 'source'],
    ['AS', 'own'],
  ])
  const wrong = texts(problems)
  return [
    ...(listed.length === 0 ? ['Its sources have nothing that it takes, or were never read.'] : rows),
    ...missingLines(missing),
    ...(wrong.length === 0 ? [] : ['', 'It cannot be published:']),
    ...wrong.map(why => kit.terminal.paint('red', `  ! ${plain(visibly(why))}`)),
  ]
}

/** What its author changed, and under it what callers will notice. */
export function diffLines(
  kit: Kit,
  { from, to, changes, callers, missing, problems, why }: JsonObject,
): string[] {
  const before = from === null ? 'nothing' : `publication ${String(from)}`
  const after = to === 'draft' ? 'the draft' : `publication ${String(to)}`
  if (typeof why === 'string') return [why]
  const said = objects(changes)
  const felt = objects(callers)
  const wrong = texts(problems)
  return [
    `From ${before} to ${after}:`,
    ...(said.length === 0 ? ['  nothing was changed by its author'] : []),
    ...said.flatMap(change => changedLines(kit, change)),
    '',
    'For callers:',
    ...(felt.length === 0 ? ['  nothing changes'] : []),
    ...felt.flatMap(each => callerLines(kit, each)),
    ...missingLines(missing),
    ...(wrong.length === 0 ? [] : ['', 'It could not be published now:']),
    ...wrong.map(problem => kit.terminal.paint('red', `  ! ${plain(visibly(problem))}`)),
  ]
}

const added = new Set(['source-added', 'added', 'appears'])
const removed = new Set(['source-removed', 'removed', 'vanishes'])

function marked(kit: Kit, word: unknown, sentence: unknown): string {
  const text = cell(visibly(String(sentence)))
  if (added.has(String(word))) return kit.terminal.paint('green', `  + ${text}`)
  if (removed.has(String(word))) return kit.terminal.paint('red', `  - ${text}`)
  return kit.terminal.paint('yellow', `  ~ ${text}`)
}

const wordy = new Set(['instructions', 'title', 'description', 'argument-description'])

function changedLines(kit: Kit, { kind, sentence, from, to }: JsonObject): string[] {
  const both = wordy.has(String(kind)) ? [textLine('was', from), textLine('is ', to)].flat() : []
  return [marked(kit, kind, sentence), ...both]
}

function textLine(word: string, text: unknown): string[] {
  return text === undefined ? [] : [`      ${word} ${cell(visibly(JSON.stringify(text)))}`]
}

function callerLines(kit: Kit, { effect, sentence, changes }: JsonObject): string[] {
  const within = objects(changes).flatMap(change => changeLines(kit, change))
  return [marked(kit, effect, sentence), ...within.map(line => `  ${line}`)]
}

function missingLines(missing: unknown): string[] {
  const lines = objects(missing).map(({ server, why }) => `  ${cell(server)}: ${cell(why)}`)
  return lines.length === 0 ? [] : ['', 'Not known, or not lately:', ...lines]
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}
