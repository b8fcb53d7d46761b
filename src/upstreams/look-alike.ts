/** Names that read like other names. A small table of what is mistaken for Latin letters, after Unicode UTS 39, "Confusable detection". */

const likeness: ReadonlyMap<string, string> = new Map(
  Object.entries({
    // Cyrillic
    а: 'a',
    в: 'b',
    с: 'c',
    ԁ: 'd',
    е: 'e',
    ѐ: 'e',
    ё: 'e',
    һ: 'h',
    і: 'i',
    ї: 'i',
    ј: 'j',
    к: 'k',
    ӏ: 'l',
    м: 'm',
    о: 'o',
    р: 'p',
    ԛ: 'q',
    г: 'r',
    ѕ: 's',
    т: 't',
    у: 'y',
    ѵ: 'v',
    ԝ: 'w',
    х: 'x',
    А: 'A',
    В: 'B',
    С: 'C',
    Е: 'E',
    Н: 'H',
    І: 'l',
    Ј: 'J',
    К: 'K',
    М: 'M',
    О: 'O',
    Р: 'P',
    Ѕ: 'S',
    Т: 'T',
    У: 'Y',
    Х: 'X',
    Ӏ: 'l',
    // Greek
    α: 'a',
    ε: 'e',
    ι: 'i',
    κ: 'k',
    ν: 'v',
    ο: 'o',
    ρ: 'p',
    τ: 't',
    υ: 'u',
    χ: 'x',
    γ: 'y',
    Α: 'A',
    Β: 'B',
    Ε: 'E',
    Ζ: 'Z',
    Η: 'H',
    Ι: 'l',
    Κ: 'K',
    Μ: 'M',
    Ν: 'N',
    Ο: 'O',
    Ρ: 'P',
    Τ: 'T',
    Υ: 'Y',
    Χ: 'X',
    // Armenian, Latin and others
    օ: 'o',
    ս: 'u',
    հ: 'h',
    ց: 'g',
    ո: 'n',
    ı: 'i',
    ȷ: 'j',
    ɑ: 'a',
    ɡ: 'g',
    ɩ: 'i',
    ʏ: 'y',
    ꜱ: 's',
    ⅼ: 'l',
    ǀ: 'l',
    '‐': '-',
    '‑': '-',
    '‒': '-',
    '–': '-',
    '—': '-',
    '−': '-',
    '․': '.',
    '﹍': '_',
    ｰ: '-',
  }),
)
// What even Latin letters and digits are mistaken for.
const withinAscii: ReadonlyMap<string, string> = new Map([
  ['1', 'l'],
  ['I', 'l'],
  ['|', 'l'],
  ['0', 'O'],
])

/** The same for all names that look the same. */
export function skeleton(name: string): string {
  const plain = isAscii(name) ? name : latinised(name)
  return [...plain]
    .map(character => withinAscii.get(character) ?? character)
    .join('')
    .replaceAll('rn', 'm')
}

/** The name as a reader of Latin letters reads it. */
function latinised(name: string): string {
  return [...name.normalize('NFKD')]
    .filter(character => !/\p{M}/u.test(character))
    .map(character => likeness.get(character) ?? character)
    .join('')
}

const isAscii = (text: string) => /^[ -~]*$/.test(text)

/** The Latin name that a name of other letters reads as; undefined for a name that does not pretend. */
export function pretends(name: string): string | undefined {
  if (isAscii(name)) return undefined
  const plain = latinised(name)
  // Accents alone are how languages are written.
  const accentless = name.normalize('NFD').replaceAll(/\p{M}/gu, '')
  return isAscii(plain) && !isAscii(accentless) ? plain : undefined
}

const mixing = [/\p{Script=Cyrillic}/u, /\p{Script=Greek}/u, /\p{Script=Armenian}/u, /\p{Script=Cherokee}/u]

/** Are letters of alphabets in it that are mistaken for each other? */
export function isMixed(name: string): boolean {
  const scripts = [/\p{Script=Latin}/u, ...mixing].filter(script => script.test(name))
  return scripts.length > 1
}
