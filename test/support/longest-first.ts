import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that take long however small they are: proofs, and tests of programs and of the command line. They start first. */
const LONG = [
  'test/mounts/posix.test',
  'test/proof/',
  'test/cli/few-descriptors',
  'test/mounts/programs/',
  'test/cli/right-answers',
  'test/mounts/daxctl',
  'test/public/wrong-types',
  'test/mounts/',
  'test/run/',
];

/** Runs long files first, so that no worker waits at the end for one that began last. */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const found = LONG.findIndex((part) => moduleId.includes(part));
      return found < 0 ? LONG.length : found;
    };
    // Array.sort keeps the order of equals.
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
