import { configDefaults, defineConfig } from 'vitest/config';

/**
 * The tests that have to notice mutants: the quick ones of the formats, the folios and the bus. Every mutant meets all of them that reach
 * it, so a test that takes seconds costs hours here.
 */
export default defineConfig({
  test: {
    include: ['test/famfs/*.test.ts', 'test/mm/*.test.ts', 'test/dax/*.test.ts'],
    exclude: [
      ...configDefaults.exclude,
      'test/famfs/{crash,golden-decode,uuids,fsck}.test.ts',
      'test/dax/bus.property.test.ts',
    ],
    // Takes minutes when Stryker counts what it reaches.
    testNamePattern: /^(?!.*(marks a huge device|set-id bits))/,
    env: { UDAX_PROPERTY_RUNS: '30' },
    pool: 'forks',
    testTimeout: 60_000,
  },
});
