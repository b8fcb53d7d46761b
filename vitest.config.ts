import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

const shared = {
  pool: 'forks',
  testTimeout: 60_000,
  hookTimeout: 120_000,
  setupFiles: ['test/fixtures/patience.ts'],
  expect: { poll: { timeout: 20_000 } },
}

const slow = { ...shared, testTimeout: 120_000, hookTimeout: 300_000 }

// Where there are two cores, both work.
const wide = { ...shared, maxWorkers: Math.max(2, availableParallelism() - 1) }

// These start processes and mostly wait for them, so two files share the machine well.
const inPairs = { ...slow, maxWorkers: 2 }

// These load the machine until it shows, or break things under it: one file at a time, after all others.
const alone = { ...slow, fileParallelism: false, sequence: { groupOrder: 1 } }
const loads = [
  'chaos',
  'crowd',
  'flood-of-streams',
  'idle-streams',
  'kill-nine',
  'large-results',
  'many-accounts',
].map(name => `test/journeys/${name}.test.ts`)

// The long ones of those that run in pairs begin first, so that none is left running by itself at the end.
const long = [
  'guides',
  'operate-from-the-command-line',
  'oauth-login',
  'kill-9',
  'dead-server',
  'secrets',
  'hostile-upstream',
]

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification) => {
      const at = long.findIndex(name => moduleId.endsWith(`/${name}.test.ts`))
      return at < 0 ? long.length : at
    }
    return (await super.sort(files)).toSorted((a, b) => placeOf(a) - placeOf(b))
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'bench/**/*.test.ts', 'scripts/**/*.test.ts', 'test/*.test.ts'],
          ...wide,
        },
      },
      {
        test: { name: 'journeys', include: ['test/journeys/**/*.test.ts'], exclude: loads, ...inPairs },
      },
      { test: { name: 'journeys-alone', include: loads, ...alone } },
      { test: { name: 'interop', include: ['test/interop/**/*.test.ts'], ...inPairs } },
    ],
  },
})
