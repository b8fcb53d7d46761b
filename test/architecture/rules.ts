/** The rules of the house, each a function from one source to what is wrong with it. */
import { areaOf, harmless, mayImport, packages, withDoor, withoutConfiguration } from './layers.ts'
import { type Import, lineOf, type Source } from './source.ts'

export type Rule = {
  readonly name: string
  /** What is wrong, as `path:line: sentence`. */
  check(source: Source): string[]
}

const isTest = ({ path }: Source) => !path.startsWith('src/') || path.endsWith('.test.ts')
const isTable = (path: string) => /\/(?:[\w-]+-)?table\.ts$/.test(path)
const isIn = (path: string, places: readonly string[]) =>
  places.some(place => (place.endsWith('/') ? path.startsWith(place) : path === place))

/** A rule over imports. */
function imports(name: string, objection: (source: Source, imported: Import) => string | undefined): Rule {
  return {
    name,
    check: source =>
      source.imports.flatMap(imported => {
        const wrong = objection(source, imported)
        return wrong === undefined ? [] : [`${source.path}:${imported.line}: ${wrong}`]
      }),
  }
}

type Within = { readonly of?: 'code' | 'comments'; readonly unless?: (source: Source) => boolean }

/** A rule over words that may not stand in the code, or in its comments. */
function words(name: string, pattern: RegExp, { of = 'code', unless = () => false }: Within = {}): Rule {
  return {
    name,
    check: source =>
      unless(source)
        ? []
        : [...source[of].matchAll(pattern)].map(
            ({ 0: found, index }) =>
              `${source.path}:${lineOf(source[of], index)}: ${found.trim().replace(/\s+/g, ' ')}`,
          ),
  }
}

/** A rule over a file as a whole. */
function files(name: string, objection: (source: Source) => string | undefined): Rule {
  return {
    name,
    check: source => {
      const wrong = objection(source)
      return wrong === undefined ? [] : [`${source.path}: ${wrong}`]
    },
  }
}

const banned = /^(?:manager|service|helper|util|common|base|impl|data|info)s?$/
// The directory that holds everything the gateway stores is the field's word for it.
const named = ['src/data-directory.ts']

// Stand in for part of a room, for the tests beside that part, or measure a part by itself.
const fixturesOfRooms = ['test/fixtures/processes.ts']

export const rules: readonly Rule[] = [
  imports('an area imports only what stands left of it or below it', (source, { path }) => {
    const [from, to] = [areaOf(source.path), areaOf(path ?? '')]
    if (isTest(source) || from === undefined || to === undefined || from === to) return undefined
    if (source.path === 'src/main.ts' && to === 'cli') return undefined
    return mayImport[from]?.includes(to) ? undefined : `${from} may not know ${to}`
  }),
  imports('src imports nothing from outside src', (source, { path }) =>
    isTest(source) || path === undefined || path.startsWith('src/') ? undefined : `imports ${path}`,
  ),
  imports('nobody imports past a door', (source, { path = '' }) => {
    const to = areaOf(path)
    if (fixturesOfRooms.includes(source.path)) return undefined
    if (to === undefined || to === areaOf(source.path) || !withDoor.includes(to)) return undefined
    return path === `src/${to}/index.ts` ? undefined : `${path} is behind the door of ${to}`
  }),
  imports('rooms and planes know the configuration as a type only', (source, { path, isType }) => {
    if (isTest(source) || isType || areaOf(path ?? '') !== 'config') return undefined
    return withoutConfiguration.includes(areaOf(source.path) ?? '') ? 'imports more than types' : undefined
  }),
  imports('nothing imports the wiring but the command line and the wiring itself', (source, { path }) => {
    const isAbove = ['cli', 'wiring'].includes(areaOf(source.path) ?? '')
    return path === 'src/gateway.ts' && !isTest(source) && !isAbove ? 'imports gateway.ts' : undefined
  }),
  imports('packages and ways out stay in the files named for them', (source, { from, path, isType }) => {
    if (isTest(source) || isType || path !== undefined || harmless.includes(from)) return undefined
    const places = packages[from]
    if (places === undefined) return `${from} has no place in test/architecture/layers.ts`
    const isSql = from === 'kysely' && isTable(source.path)
    return isSql || isIn(source.path, places) ? undefined : `${from} belongs in ${places.join(', ')}`
  }),
  words('queries are built in table files', /\.(?:selectFrom|insertInto|updateTable|deleteFrom)\(/g, {
    unless: source => isTest(source) || isTable(source.path) || source.path.startsWith('src/database/'),
  }),
  words('only the transports reach upstreams; the command line may fetch', /(?<![.\w])fetch\(/g, {
    unless: source => isTest(source) || source.path.startsWith('src/cli/'),
  }),
  words('process.env is read in config/load.ts', /\bprocess\.env\b/g, {
    unless: source => isTest(source) || source.path === 'src/config/load.ts',
  }),
  words('only the vault equips', /\bmarkEquipped\b|\bas Equipped\b/g, {
    unless: source =>
      isTest(source) ||
      source.path.startsWith('src/vault/') ||
      ['src/upstreams/equipped.ts', 'src/upstreams/index.ts'].includes(source.path),
  }),
  words('only identity makes principals', /\basPrincipal\b|\bas Principal\b/g, {
    unless: source => isTest(source) || source.path.startsWith('src/identity/'),
  }),
  words('no default exports', /\bexport default\b/g, { unless: ({ path }) => path === 'vitest.config.ts' }),
  words('no any', /(?:[:<|&]|\bas)\s*any\b(?!\s*[(.:])|,\s*any\s*[>\]]/g),
  words('no switched-off compiler', /@ts-(?:ignore|expect-error|nocheck)/g, { of: 'comments' }),
  words('nothing is left for later', /\b(?:TODO|FIXME|XXX)\b/g, { of: 'comments' }),
  words('no empty catch', /\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}/g),
  words('no test is skipped or alone', /\b(?:it|test|describe)\.(?:only|skip|todo)\b/g),
  files('a file has at most 300 lines, a test 500', ({ path, text }) => {
    const lines = text.trimEnd().split('\n').length
    const most = path.startsWith('src/') && !path.endsWith('.test.ts') ? 300 : 500
    return lines > most ? `${lines} lines` : undefined
  }),
  files('files are named in kebab-case, without words that mean nothing', ({ path }) => {
    const name = path.split('/').at(-1) ?? ''
    if (!/^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|child|config))?\.ts$/.test(name)) return 'is not kebab-case'
    const word = name.split(/[-.]/).find(part => banned.test(part))
    return word === undefined || named.includes(path) ? undefined : `"${word}" says nothing`
  }),
]
