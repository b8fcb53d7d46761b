/** From text to the terms that are searched: split, lower case, without the words that say nothing, stemmed. */

// Before a capital that begins a word.
const humps = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/gu
const anyRuns = /[\p{L}\p{N}]+/gu
// The same for most texts, in less time.
const asciiRuns = /[A-Za-z0-9]+/g
const ascii = /^[\0-\x7f]*$/
const figures = /^\p{N}+$/u
const maxWordChars = 40

const silent = new Set(
  (
    'a about after all also am an and any anything are as at be been before being but by can could did do does doing ' +
    'done each everything few for from give go had has have having he her here him his how i if in inside into is it its ' +
    'itself just let like lot me might more most my need no not of off on only or our out own please several she should ' +
    'so some somebody something such take than that the their them then there these they tell thing this those through to too ' +
    'up us use used using very via want was we were what where which while whose will with would you your'
  ).split(' '),
)

/** The terms of a text: its words without the silent ones, each as its stem. What figures say to a search is that there is a number. */
export function termsOf(text: string): string[] {
  const runs = ascii.test(text) ? text.match(asciiRuns) : text.normalize('NFKC').match(anyRuns)
  return (runs ?? []).flatMap(termsOfRun)
}

// Descriptions use few words often. What strangers write must not make this grow.
const known = new Map<string, readonly string[]>()
const maxKnown = 10_000

function termsOfRun(run: string): readonly string[] {
  const before = known.get(run)
  if (before !== undefined) return before
  const terms = wordsOf(run).flatMap(word => {
    if (word.length > maxWordChars || silent.has(word)) return []
    return [figures.test(word) ? 'number' : stem(word)]
  })
  if (run.length <= maxWordChars) {
    if (known.size >= maxKnown) known.clear()
    known.set(run, terms)
  }
  return terms
}

/** What is written as one for programs falls into its words: readFile, HTMLPage. */
function wordsOf(run: string): string[] {
  return run.replace(humps, ' ').toLowerCase().split(' ')
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
