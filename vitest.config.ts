import { defineConfig } from 'vitest/config'

const shared = { pool: 'forks', testTimeout: 30_000, hookTimeout: 60_000 } as const

const slow = { ...shared, testTimeout: 120_000, hookTimeout: 300_000 }

// These start processes and mostly wait for them, so two files share the machine well.
const inPairs = { ...slow, maxWorkers: 2 }

// These load the machine until it shows, or break things under it: one file at a time, after all others.
const alone = { ...slow, fileParallelism: false, sequence: { groupOrder: 1 } }
const loads = [
  'chaos',
  'crowd',
  'flood-of-streams',
  'idle-streams',
  'kill-9',
  'kill-nine',
  'large-results',
].map(name => `test/journeys/${name}.test.ts`)

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'bench/**/*.test.ts', 'scripts/**/*.test.ts', 'test/*.test.ts'],
          ...shared,
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
