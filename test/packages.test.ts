/** What npm installs, and that it can on every platform. */
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { read } from './documents/files.ts'

const names = z.record(z.string(), z.string()).default({})
const entry = z.object({
  version: z.string().optional(),
  resolved: z.string().optional(),
  dependencies: names,
  optionalDependencies: names,
})
const lockfile = z.object({ packages: z.record(z.string(), entry) })
const manifest = z.object({ dependencies: names, devDependencies: names, optionalDependencies: names })

describe.each(['', 'test/peers/'])('%spackage.json', folder => {
  const { packages } = lockfile.parse(JSON.parse(read(`${folder}package-lock.json`)))
  const { dependencies, devDependencies, optionalDependencies } = manifest.parse(
    JSON.parse(read(`${folder}package.json`)),
  )

  it('pins every version exactly', () => {
    const versions = Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies })
    // Two versions of one package need another name for one of them.
    const exact = /^(?:npm:@?[\w./-]+@)?\d+\.\d+\.\d+(?:-[\w.]+)?$/
    expect(versions.filter(([, version]) => !exact.test(version))).toEqual([])
  })

  // npm leaves them out when it writes a lockfile where it cannot load them, and then refuses its own lockfile.
  it('has every package of every platform in its lockfile', () => {
    const missing = Object.entries(packages).flatMap(([path, one]) =>
      Object.keys({ ...one.dependencies, ...one.optionalDependencies }).filter(
        name => !folders(path).some(folder => `${folder}node_modules/${name}` in packages),
      ),
    )
    expect(missing).toEqual([])
  })

  it('names no registry in its lockfile', () => {
    expect(Object.entries(packages).filter(([, { resolved }]) => resolved !== undefined)).toEqual([])
  })
})

/** Where a package's dependencies may lie: in it, or in any package around it. */
function folders(path: string): string[] {
  const parts = path.split('node_modules/')
  return [
    ...parts.slice(1).map((_, at) => `${parts.slice(0, at + 1).join('node_modules/')}`),
    path === '' ? '' : `${path}/`,
  ]
}
