/** From text to the terms that are searched: split, lower case, without the words that say nothing, stemmed. */

// Before a capital that begins a word: readFile, HTMLPage.
const humps = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/gu
const runs = /[\p{L}\p{N}]+/gu
const maxWordChars = 40

const silent = new Set(
  (
    'a about after all also am an and any are as at be been before being but by can could did do does doing done each ' +
    'for from had has have having he her here him his how i if in into is it its itself just let like may me might more ' +
    'most my need no not of off on only or our out own please she should so some such than that the their them then ' +
    'there these they this those through to too us very via want was we were what when where which while who whose why ' +
    'will with would you your'
  ).split(' '),
)

/** The words of a text in their order, in lower case. Text written for programs (snake_case, camelCase, a.b/c) falls into its words too. */
export function wordsOf(text: string): string[] {
  const words = text.normalize('NFKC').replace(humps, ' ').toLowerCase().match(runs) ?? []
  return words.filter(word => word.length <= maxWordChars)
}

/** The terms of a text: its words without the silent ones, each as its stem. */
export function termsOf(text: string): string[] {
  return wordsOf(text).flatMap(word => (silent.has(word) ? [] : [stem(word)]))
}

type Ending = { readonly ending: string; readonly instead: string; readonly atLeast: number }

// The first that fits is taken; `atLeast` letters must be left before it.
const plurals: readonly Ending[] = [
  { ending: 'sses', instead: 'ss', atLeast: 1 },
  { ending: 'xes', instead: 'x', atLeast: 1 },
  { ending: 'ches', instead: 'ch', atLeast: 1 },
  { ending: 'shes', instead: 'sh', atLeast: 1 },
  { ending: 'ies', instead: 'y', atLeast: 2 },
  { ending: 'ss', instead: 'ss', atLeast: 1 },
  { ending: 'us', instead: 'us', atLeast: 1 },
  { ending: 'is', instead: 'is', atLeast: 1 },
  { ending: 's', instead: '', atLeast: 3 },
]

const forms: readonly Ending[] = [
  { ending: 'ization', instead: 'ize', atLeast: 3 },
  { ending: 'isation', instead: 'ize', atLeast: 3 },
  { ending: 'ation', instead: '', atLeast: 4 },
  { ending: 'ating', instead: '', atLeast: 4 },
  { ending: 'ated', instead: '', atLeast: 4 },
  { ending: 'ator', instead: '', atLeast: 4 },
  { ending: 'ate', instead: '', atLeast: 4 },
  { ending: 'ion', instead: '', atLeast: 4 },
  { ending: 'ment', instead: '', atLeast: 5 },
  { ending: 'ing', instead: '', atLeast: 3 },
  { ending: 'ied', instead: 'y', atLeast: 2 },
  { ending: 'ed', instead: '', atLeast: 3 },
  { ending: 'ly', instead: '', atLeast: 4 },
]

function without(word: string, endings: readonly Ending[]): string {
  const found = endings.find(
    ({ ending, atLeast }) => word.endsWith(ending) && word.length >= ending.length + atLeast,
  )
  return found === undefined ? word : word.slice(0, -found.ending.length) + found.instead
}

/** A light English stem: the same for the forms of one word that names and sentences about tools use. Not a word itself. */
export function stem(word: string): string {
  if (word.length < 4 || /\P{Script=Latin}/u.test(word)) return word
  const singular = without(word, plurals)
  const bare = without(singular, forms)
  const hasLost = bare !== singular && /(?:ing|ed)$/.test(singular)
  const single = hasLost && /([bdfgmnprt])\1$/.test(bare) ? bare.slice(0, -1) : bare
  const open = single.length > 3 && single.endsWith('e') ? single.slice(0, -1) : single
  return open.length > 2 && open.endsWith('y') ? `${open.slice(0, -1)}i` : open
}
