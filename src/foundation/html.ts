/** HTML that escapes by type: only `Html` goes in as it is, and only the tag makes it. */

export class Html {
  readonly #text: string

  constructor(strings: TemplateStringsArray, values: readonly Content[]) {
    this.#text = strings.reduce((text, part, i) => text + written(values[i - 1]) + part)
  }

  toString(): string {
    return this.#text
  }
}

/** What may stand in a template; nothing is written for `undefined` and `false`. */
export type Content = Html | string | number | false | undefined | readonly Content[]

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function written(value: Content): string {
  if (value === undefined || value === false) return ''
  if (value instanceof Html) return value.toString()
  if (typeof value === 'object') return value.map(written).join('')
  return String(value).replace(/[&<>"']/g, letter => escapes[letter] ?? letter)
}

/** `html\`<p>${text}</p>\``: text is escaped, also where it stands in a quoted attribute. */
export function html(strings: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(strings, values)
}
