import type { Access } from '../access/index.ts'
import { type Problem, written } from './problem.ts'
import type { Manifest } from './schema.ts'
import type { Source } from './source.ts'
import type { Names } from './strangers.ts'

type Given = { readonly manifest: Manifest; readonly source: Source; readonly names: Names }

/** What is wrong with the texts of policies, each with its place within the text. */
export function checkPolicies(
  policies: Pick<Access['policies'], 'check'>,
  { manifest, source, names }: Given,
): Problem[] {
  return (manifest.policies ?? []).flatMap(({ text }, at) => {
    const path = ['policies', at, 'text']
    const place = { code: 'manifest.invalid', line: source.lineOf(path), path: written(path) } as const
    return policies.check(text, names).problems.map(({ line, column, why, fix }) => ({
      ...place,
      why: `Line ${line}, column ${column} of the policy: ${why}`,
      fix,
    }))
  })
}
