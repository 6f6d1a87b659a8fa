import os from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longest-first.js';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Virtual machines, minutes: npm run test:vm.
    exclude: [...configDefaults.exclude, 'test/vm/**'],
    pool: 'forks',
    sequence: { sequencer: LongestFirst },
    // Most tests wait for other processes: one worker would leave processors idle.
    maxWorkers: Math.max(2, os.availableParallelism() - 1),
    // A busy machine is no failure: what hangs is told later, that is all.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 500_000 } },
    reporters: ['default', './test/support/summary-reporter.ts'],
  },
});
