import fs from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Ends a run with one plain line, `N passed, N failed, N skipped`, and names what was skipped and what failed. Also appends the
 * line, and those of failures, to the file $UDAX_SUMMARY, so that CI can add up several runs and end with why.
 */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, errorsOutside: ReadonlyArray<unknown>): void {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    // Errors outside tests: a worker that died, or a rejected promise that nobody handled.
    counts.failed += errorsOutside.length;
    const skipped: string[] = [];
    const failed = errorsOutside.map((error) => failure('outside of tests', [error]));
    for (const testModule of modules) {
      // A file that does not load has no tests. It counts as one failure.
      if (testModule.errors().length > 0) {
        counts.failed += 1;
        failed.push(failure(testModule.relativeModuleId, testModule.errors()));
      }
      // A hook of a describe block that failed: its tests are not run, and none of them says why.
      for (const suite of testModule.children.allSuites()) {
        if (suite.errors().length === 0) continue;
        counts.failed += 1;
        failed.push(failure(`${testModule.relativeModuleId}: ${suite.fullName}`, suite.errors()));
      }
      for (const test of testModule.children.allTests()) {
        const { state, errors } = test.result();
        if (state === 'passed') counts.passed += 1;
        else if (state === 'failed') {
          counts.failed += 1;
          failed.push(failure(`${testModule.relativeModuleId}: ${test.fullName}`, errors));
        } else {
          counts.skipped += 1;
          skipped.push(`${testModule.relativeModuleId}: ${test.fullName}`);
        }
      }
    }
    for (const name of skipped) console.log(`skipped: ${name}`);
    for (const text of failed) console.log(text);
    const line = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
    console.log(line);
    const { UDAX_SUMMARY } = process.env;
    if (UDAX_SUMMARY) fs.appendFileSync(UDAX_SUMMARY, [...failed, line, ''].join('\n'));
  }
}

/** One line: what failed, its message (the start of a long one), and the first lines of its stack that are ours. */
function failure(name: string, errors: ReadonlyArray<unknown> | undefined): string {
  const [{ message = '', stack = '' } = {}] = (errors ?? []) as ReadonlyArray<{
    message?: string;
    stack?: string;
  }>;
  const where = stack.split('\n').filter((line) => /^ *at .*(?:test|src|proof)\//.test(line));
  const lines = [message.slice(0, 1000), ...where.slice(0, 3).map((line) => line.trim())];
  return `failed: ${name}: ${lines.join(' | ').replaceAll('\n', ' | ')}`;
}
