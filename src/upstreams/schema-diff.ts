/** What changed between two JSON Schemas of a tool, as far as it matters to who calls it. Whatever is not understood is `other`. */
import { canonical, isObject, type JsonObject } from '../foundation/json.ts'
import {
  type ChangeKind,
  changeOf,
  type DefinitionChange,
  named,
  type Sides,
  sidesOf,
  verb,
} from './definition-change.ts'

/** What arguments may be, or what results look like. */
export type SchemaSide = 'input' | 'output'

/** The schema that a keyword stands in. */
type At = {
  readonly path: string
  readonly side: SchemaSide
  readonly schemas: { readonly from: JsonObject; readonly to: JsonObject }
}

export function isSame(from: unknown, to: unknown): boolean {
  if (from === undefined || to === undefined) return from === to
  return canonical(from) === canonical(to)
}

/** Nothing when both are the same, and something for every difference there is. */
export function diffSchemas({ path, from, to }: Sides, side: SchemaSide): DefinitionChange[] {
  if (isSame(from, to)) return []
  if (!isObject(from) || !isObject(to))
    return [said('other', { path, from, to }, side, `The schema at ${named(path)} ${verb(from, to)}.`)]
  const schemas = { from, to }
  return sidesOf(schemas, path).flatMap(({ key, sides }) =>
    isSame(sides.from, sides.to) ? [] : diffKeyword(key, sides, { path, side, schemas }),
  )
}

function diffKeyword(key: string, sides: Sides, at: At): DefinitionChange[] {
  switch (key) {
    case 'properties':
      return diffProperties(sides, at)
    case 'required':
      return diffRequired(sides, at)
    case 'type':
      return diffType(sides, at)
    case 'enum':
      return diffEnum(sides, at)
    case 'default':
      return [
        said('default', sides, at.side, `The default of ${named(at.path)} ${verb(sides.from, sides.to)}.`),
      ]
    case 'title':
    case 'description':
      return [said(key, sides, at.side, `The ${key} of ${named(at.path)} ${verb(sides.from, sides.to)}.`)]
    case 'items':
    case 'additionalProperties':
      if (isObject(sides.from) && isObject(sides.to)) return diffSchemas(sides, at.side)
  }
  return [said('other', sides, at.side, `${named(sides.path)} ${verb(sides.from, sides.to)}.`)]
}

/** What is said of results has one kind, whatever it is. */
function said(
  kind: ChangeKind,
  sides: Sides,
  side: SchemaSide,
  sentence: string,
  additive = false,
): DefinitionChange {
  return changeOf(side === 'output' ? 'output-schema' : kind, sides, { additive, sentence })
}

function diffProperties({ path, from = {}, to = {} }: Sides, { side, schemas }: At): DefinitionChange[] {
  if (!isObject(from) || !isObject(to))
    return [said('other', { path, from, to }, side, `${named(path)} is no list of properties on one side.`)]
  const what = side === 'input' ? 'argument' : 'property'
  const changes = sidesOf({ from, to }, path).flatMap(({ key: name, sides }) => {
    if (sides.from !== undefined && sides.to !== undefined) return diffSchemas(sides, side)
    if (sides.from !== undefined)
      return [said('argument-removed', sides, side, `The ${what} ${named(name)} was removed.`)]
    const isRequired = listed(schemas.to.required).includes(name)
    const sentence = `The ${isRequired ? 'required' : 'optional'} ${what} ${named(name)} was added.`
    return [said('argument-added', sides, side, sentence, side === 'output' || !isRequired)]
  })
  // An empty list of properties says what none says.
  return changes.length > 0
    ? changes
    : [said('other', { path, from, to }, side, `${named(path)} changed.`, true)]
}

function diffRequired(sides: Sides, { side, schemas }: At): DefinitionChange[] {
  const { path, from, to } = sides
  if (!isListOfNames(from) || !isListOfNames(to))
    return [said('other', sides, side, `${named(path)} is no list of names on one side.`)]
  const [before, after] = [new Set(from), new Set(to)]
  const [known, offered] = [propertiesOf(schemas.from), propertiesOf(schemas.to)]
  // That a property came or went is said where it did.
  const tightened = [...after].filter(name => !before.has(name) && (known.has(name) || !offered.has(name)))
  const loosened = [...before].filter(name => !after.has(name) && (offered.has(name) || !known.has(name)))
  const isCovered = [...after].some(name => !before.has(name)) || [...before].some(name => !after.has(name))
  const changes = [
    ...tightened.map(name =>
      said('required', { path, from: false, to: true }, side, `${named(name)} became required.`),
    ),
    ...loosened.map(name =>
      said(
        'required',
        { path, from: true, to: false },
        side,
        `${named(name)} is not required any more.`,
        side === 'input',
      ),
    ),
  ]
  if (changes.length > 0 || isCovered) return changes
  return [said('required', sides, side, `${named(path)} is written in another way and says the same.`, true)]
}

function diffType(sides: Sides, at: At): DefinitionChange[] {
  const { from, to } = sides
  const order = Array.isArray(from) && Array.isArray(to) && isSame(sorted(from), sorted(to))
  if (order)
    return [said('type', sides, at.side, `The types of ${named(at.path)} stand in another order.`, true)]
  const sentence = `The type of ${named(at.path)} ${verb(from, to)}.`
  return [said('type', sides, at.side, sentence)]
}

function diffEnum(sides: Sides, at: At): DefinitionChange[] {
  const { from, to } = sides
  if (!isListOrNothing(from) || !isListOrNothing(to))
    return [said('enum', sides, at.side, `${named(sides.path)} is no list on one side.`)]
  const bounds = (values: readonly unknown[] | undefined) => values && new Set(sorted(values))
  const [before, after] = [bounds(from), bounds(to)]
  const isWider = after === undefined || (before !== undefined && isWithin(before, after))
  const isNarrower = before === undefined || (after !== undefined && isWithin(after, before))
  const what = `The values of ${named(at.path)}`
  if (isWider && isNarrower) return [said('enum', sides, at.side, `${what} stand in another order.`, true)]
  if (isWider) return [said('enum', sides, at.side, `${what} became more.`, at.side === 'input')]
  return [said('enum', sides, at.side, `${what} became ${isNarrower ? 'fewer' : 'others'}.`)]
}

function isWithin(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return [...some].every(one => all.has(one))
}

function isListOrNothing(value: unknown): value is readonly unknown[] | undefined {
  return value === undefined || Array.isArray(value)
}

function isListOfNames(value: unknown): value is readonly string[] | undefined {
  return isListOrNothing(value) && (value ?? []).every(name => typeof name === 'string')
}

function listed(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

function propertiesOf({ properties }: JsonObject): ReadonlySet<string> {
  return new Set(isObject(properties) ? Object.keys(properties) : [])
}

function sorted(values: readonly unknown[]): string[] {
  return values.map(value => canonical(value)).sort()
}
