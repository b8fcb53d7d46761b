import { defineConfig } from 'vitest/config'

const shared = { pool: 'forks', testTimeout: 30_000, hookTimeout: 60_000 } as const

// Journeys and interop start processes that need the machine for themselves: one file at a time.
const alone = { ...shared, fileParallelism: false, testTimeout: 120_000, hookTimeout: 300_000 }

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
      { test: { name: 'journeys', include: ['test/journeys/**/*.test.ts'], ...alone } },
      { test: { name: 'interop', include: ['test/interop/**/*.test.ts'], ...alone } },
    ],
  },
})
