const placeholder = '[redacted]'
const shortestSecret = 8

// Tokens by their look: ours, those of well-known vendors, JWTs, and whatever follows a telling word.
const patterns = [
  /\b(?:gth_[a-z]+_|gh[oprsu]_|github_pat_|glpat-|npm_|xox[a-z]-|sk-|AKIA)[\w-]{8,}/g,
  /\beyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g,
  /(?<=\b(?:Bearer|: Basic)\s{1,4})(?!\[redacted\])\S+/gi,
  /(?<=(?:password|passwd|secret|token|api[_-]?key)["']?\s?[=:]\s?["']?)(?!\[redacted\])[^\s"'&,;]+/gi,
]

export type Redaction = {
  /** The length of the longest known secret: a text cut in the middle may end with up to this much of one. */
  readonly longest: number
  redact(text: string): string
}

/**
 * Takes secrets out of text: everything that looks like a token, and these very values. Values under 8 characters are
 * left, for they would blot out ordinary words; of a value in lines each line counts, for text is read by lines.
 */
export function openRedaction(values: readonly string[]): Redaction {
  const secrets = values
    .flatMap(value => value.split(/[\r\n]+/))
    .filter(secret => secret.length >= shortestSecret)
    .sort((a, b) => b.length - a.length)
  return {
    longest: secrets[0]?.length ?? 0,
    redact(text) {
      const known = secrets.reduce((rest, secret) => rest.replaceAll(secret, placeholder), text)
      return patterns.reduce((rest, pattern) => rest.replace(pattern, placeholder), known)
    },
  }
}
