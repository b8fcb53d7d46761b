/** One mistake in a policy, or one thing to know about it, at its place in the text as it was written. */
import { z } from 'zod'

export const policyProblem = z.object({
  line: z.int().describe('From 1.'),
  column: z.int().describe('From 1, in characters.'),
  why: z.string(),
  fix: z.string(),
})

export type PolicyProblem = z.infer<typeof policyProblem>

export type Said = { readonly why: string; readonly fix: string }

/** `at` counts bytes of UTF-8, as Cedar does. */
export function problemAt(text: string, at: number, { why, fix }: Said): PolicyProblem {
  const before = Buffer.from(text).subarray(0, at).toString()
  const lines = before.split('\n')
  return { line: lines.length, column: [...(lines.at(-1) ?? '')].length + 1, why, fix }
}

/** Where something stands in a part of a text; the beginning of the part when it is not found. */
export function bytesTo(part: string, word: string): number {
  const at = part.indexOf(word)
  return at < 0 ? 0 : Buffer.byteLength(part.slice(0, at))
}

/** A sentence with a capital letter and a full stop. */
export function sentence(message: string): string {
  const text = `${message.slice(0, 1).toUpperCase()}${message.slice(1)}`
  return /[.?!]$/.test(text) ? text : `${text}.`
}
