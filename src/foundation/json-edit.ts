/** Members left out of an object's text and added to it, every other byte as it was. */
import { applyPatches, members, type Patch, skipSpace, spanAt } from './json.ts'

export type MemberEdits = {
  readonly drop?: ReadonlySet<string>
  /** Raw JSON by name; added at the end where there is no member of that name, or where that one is dropped. */
  readonly add?: Readonly<Record<string, string>>
}

type Member = { readonly key: string; readonly start: number; readonly end: number }

/** Patches for the object that starts at `at`. The bytes must be valid JSON. */
export function memberEdits(bytes: Buffer, at: number, { drop, add = {} }: MemberEdits): Patch[] {
  const all = positioned(bytes, at)
  const isKept = ({ key }: Member) => drop?.has(key) !== true
  const lastKept = all.findLastIndex(isKept)
  const patches: Patch[] = []
  // A member goes with the comma after it; the last ones go with the comma before them.
  for (const [index, { start }] of all.slice(0, Math.max(0, lastKept)).entries()) {
    const member = all[index]
    const next = all[index + 1]
    if (member && next && !isKept(member)) patches.push({ span: { start, end: next.start }, text: '' })
  }
  const kept = all.filter(isKept)
  const additions = Object.entries(add)
    .filter(([name]) => !kept.some(({ key }) => key === name))
    .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
    .join(',')
  const tail = { start: all[lastKept]?.end ?? at + 1, end: all.at(-1)?.end ?? at + 1 }
  if (additions === '' && tail.start === tail.end) return patches
  return [...patches, { span: tail, text: additions === '' || lastKept < 0 ? additions : `,${additions}` }]
}

/** The bytes with the object at a path edited; as they were when there is no object. */
export function edited(bytes: Buffer, path: readonly string[], edits: MemberEdits): Buffer {
  const span = spanAt(bytes, path)
  if (span === undefined || bytes[span.start] !== 0x7b) return bytes
  return applyPatches(bytes, memberEdits(bytes, span.start, edits))
}

// Where members stand with their keys; members() tells where their values do.
function positioned(bytes: Buffer, at: number): Member[] {
  let start = skipSpace(bytes, at + 1)
  return [...members(bytes, at)].map(([key, { end }]) => {
    const member = { key, start, end }
    start = skipSpace(bytes, skipSpace(bytes, end) + 1)
    return member
  })
}
