import { defineConfig } from 'vitest/config';

/** The tests that mutants must survive: those that need no process, mount or built program. */
export default defineConfig({
  test: {
    include: ['test/famfs/**/*.test.ts', 'test/mm/**/*.test.ts', 'test/dax/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 60_000,
  },
});
