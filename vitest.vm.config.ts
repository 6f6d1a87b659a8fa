import { defineConfig } from 'vitest/config';

/** Tests on a real kernel's /dev/dax0.0, in virtual machines: test/vm/README.md. */
export default defineConfig({
  test: {
    include: ['test/vm/**/*.test.ts'],
    globalSetup: ['./test/vm/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 240_000,
    hookTimeout: 600_000,
    reporters: ['default', './test/vm/support/device-reporter.ts', './test/support/summary-reporter.ts'],
  },
});
