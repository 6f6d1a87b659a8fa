import type { Reporter, TestCase, TestModule } from 'vitest/node';

/** Ends a run with what ran on the real device: passed tests by subject, and the figures that tests noted. */
export default class DeviceReporter implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const counts = new Map<string, number>();
    const figures: string[] = [];
    for (const testModule of modules) {
      for (const test of testModule.children.allTests('passed')) {
        const subject = subjectOf(test);
        counts.set(subject, (counts.get(subject) ?? 0) + 1);
        for (const { type, message } of test.annotations()) {
          if (type === 'figure') figures.push(`  ${message}`);
        }
      }
    }
    if (counts.size === 0) return;
    const { own, backported } = modules[0]!.project.getProvidedContext().vm;
    const releases = [own, backported].map(({ release }) => release).filter((release) => release !== '');
    console.log(`on a true /dev/dax0.0 (kernel ${releases.join(', ')}, QEMU NVDIMM):`);
    for (const [subject, count] of counts) console.log(`  ${String(count).padStart(3)} ${subject}`);
    for (const figure of figures) console.log(figure);
  }
}

/** The outermost describe a test is in. */
function subjectOf(test: TestCase): string {
  let at: TestCase['parent'] = test.parent;
  let subject = test.name;
  while (at.type === 'suite') {
    subject = at.name;
    at = at.parent;
  }
  return subject;
}
