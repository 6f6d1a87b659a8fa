import fs from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with one plain line, `N passed, N failed, N skipped`, and names what was skipped. Also appends the line to the file
 * $UDAX_SUMMARY, so that CI can add up several runs.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errorsOutside: ReadonlyArray<unknown>): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    // Errors outside tests: a worker that died, or a rejected promise that nobody handled.
    counts.failed += errorsOutside.length;
    const skipped: string[] = [];
    for (const testModule of modules) {
      // A file that does not load has no tests. It counts as one failure.
      if (testModule.errors().length > 0) counts.failed += 1;
      for (const test of testModule.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') counts.passed += 1;
        else if (state === 'failed') counts.failed += 1;
        else {
          counts.skipped += 1;
          skipped.push(`${testModule.relativeModuleId}: ${test.fullName}`);
        }
      }
    }
    for (const name of skipped) console.log(`skipped: ${name}`);
    const line = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
    console.log(line);
    const { UDAX_SUMMARY } = process.env;
    if (UDAX_SUMMARY) fs.appendFileSync(UDAX_SUMMARY, `${line}\n`);
  }
}
