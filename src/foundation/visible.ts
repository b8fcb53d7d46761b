/** Characters that nobody sees, or that make a reader see something else than is there. */

/** Controls, format characters, lone surrogates, separators of lines, and all that is ignorable by default, such as fillers and selectors. */
export const unseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u

const unseenRuns = new RegExp(`${unseen.source}+`, 'gu')
const ordinary = /^[\t\n\r]$/

/** The text with each such character as `\u{...}`; line ends and tabs stay. */
export function visibly(text: string): string {
  return text.replaceAll(unseenRuns, run =>
    [...run].map(one => (ordinary.test(one) ? one : escaped(one))).join(''),
  )
}

function escaped(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
}
