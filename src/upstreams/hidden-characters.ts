/** Characters that carry text past a person's eyes: tags, zero widths, bidi controls, terminal escapes. What scripts and emoji need is left alone. */
import { unseen } from '../foundation/visible.ts'

export type Hidden = {
  readonly kind: 'tag' | 'invisible' | 'bidi' | 'control'
  /** Code points, in order. */
  readonly points: readonly number[]
  /** What tag characters spell. */
  readonly spells?: string
}

const joiners: ReadonlySet<number> = new Set([0x200c, 0x200d])
const marks: ReadonlySet<number> = new Set([0x200e, 0x200f, 0x061c])
const flags: ReadonlySet<string> = new Set(['gbeng', 'gbsct', 'gbwls'])

const rightToLeft = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u
/** Scripts in which a joiner decides how letters are drawn. */
const joining =
  /[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}\p{M}]/u
const emoji = /[\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}]|\u{fe0f}/u
const ideograph = /\p{Script=Han}/u

/** What a text hides, one entry for each kind; empty when it hides nothing. */
export function hiddenIn(text: string): Hidden[] {
  if (!unseen.test(text)) return []
  const characters = [...text]
  const found: { kind: Hidden['kind']; point: number }[] = []
  for (const [at, character] of characters.entries()) {
    const kind = unseen.test(character) ? kindOf(characters, at) : undefined
    if (kind !== undefined) found.push({ kind, point: character.codePointAt(0) ?? 0 })
  }
  return [...Map.groupBy(found, ({ kind }) => kind)].map(([kind, all]) => {
    const points = all.map(({ point }) => point)
    return kind === 'tag' ? { kind, points, spells: spelt(points) } : { kind, points }
  })
}

function spelt(points: readonly number[]): string {
  return points
    .map(point => point - 0xe0000)
    .filter(ascii => ascii >= 0x20 && ascii < 0x7f)
    .map(ascii => String.fromCharCode(ascii))
    .join('')
}

/** What kind of hiding the character is at its place; undefined where it has an honest use. */
function kindOf(characters: readonly string[], at: number): Hidden['kind'] | undefined {
  const character = characters[at] ?? ''
  const point = character.codePointAt(0) ?? 0
  if (point === 0x09 || point === 0x0a || point === 0x0d) return undefined
  if (/\p{Cc}/u.test(character)) return 'control'
  if (point >= 0xe0000 && point <= 0xe007f) return isInFlag(characters, at) ? undefined : 'tag'
  if ((point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069)) return 'bidi'
  if (marks.has(point)) return characters.some(one => rightToLeft.test(one)) ? undefined : 'bidi'
  const [before = '', after = ''] = [characters[at - 1], characters[at + 1]]
  if (joiners.has(point)) return isJoining(before, after) ? undefined : 'invisible'
  if (isSelector(point)) return isSelecting(point, before) ? undefined : 'invisible'
  // Separators of lines break them, which everybody sees.
  return point === 0x2028 || point === 0x2029 ? undefined : 'invisible'
}

function isJoining(before: string, after: string): boolean {
  return joining.test(before) || (emoji.test(before) && emoji.test(after))
}

function isSelector(point: number): boolean {
  return (point >= 0xfe00 && point <= 0xfe0f) || (point >= 0xe0100 && point <= 0xe01ef)
}

/** One selector changes the look of what stands before it; a row of them is text of its own. */
function isSelecting(point: number, before: string): boolean {
  if (before === '' || unseen.test(before) || /\s/u.test(before)) return false
  return point <= 0xfe0f || ideograph.test(before)
}

/** The flags of parts of a country are spelt in tags after a black flag. */
function isInFlag(characters: readonly string[], at: number): boolean {
  const start = characters.lastIndexOf('\u{1f3f4}', at)
  const end = characters.indexOf('\u{e007f}', at)
  if (start < 0 || end < 0 || end - start > 7) return false
  const points = characters.slice(start + 1, end).map(character => character.codePointAt(0) ?? 0)
  return points.every(point => point >= 0xe0020) && flags.has(spelt(points))
}
