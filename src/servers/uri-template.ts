/** Which URIs a URI template stands for (RFC 6570), as far as that can be told without its variables. */

type Part = { readonly text: string } | { readonly reach: 'segment' | 'anything' }

// Simple expansion percent-encodes what separates segments; the other operators may bring it along (RFC 6570, 3.2).
function partsOf(template: string): Part[] {
  return template.split(/(\{[^{}]*\})/).flatMap((piece): Part[] => {
    if (piece === '') return []
    if (!piece.startsWith('{')) return [{ text: piece }]
    return [{ reach: /^\{[+#/?&.;]|\*\}$/.test(piece) ? 'anything' : 'segment' }]
  })
}

const ends = /[/?#]/

/** Could the URI be an expansion of the template? Takes time in the length of one times the other, whatever they are. */
export function isExpansion(template: string, uri: string): boolean {
  // The positions in the URI that the parts so far can reach.
  let reached = new Set([0])
  for (const part of partsOf(template)) {
    const next = new Set<number>()
    for (const at of reached) {
      if ('text' in part) {
        if (uri.startsWith(part.text, at)) next.add(at + part.text.length)
      } else
        for (let to = at; to <= uri.length && !next.has(to); to++) {
          next.add(to)
          if (part.reach === 'segment' && ends.test(uri[to] ?? '')) break
        }
    }
    reached = next
  }
  return reached.has(uri.length)
}
