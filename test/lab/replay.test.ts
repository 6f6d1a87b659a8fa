import { describe, expect, it } from 'vitest';
import { renderReplay, replayFiles } from '../../src/lab/replay/index.js';
import { nameOf, transcripts } from '../support/conformance.js';

const files = transcripts('dax').map((file) => [nameOf(file), file] as const);
const hazards = transcripts('dax/hazard').map((file) => [nameOf(file), file] as const);

describe('the recorded answers of Linux 7.2', () => {
  it.each(files)('are ours in %s', (_name, file) => {
    const result = replayFiles([file]);
    expect(result.differences, renderReplay(result)).toEqual([]);
    expect(result.passed).toBeGreaterThan(0);
  });

  it('are skipped for under 3 % of the steps', () => {
    const { passed, failed, skipped } = replayFiles(transcripts('dax'));
    expect(passed).toBeGreaterThan(6700);
    expect(skipped / (passed + failed + skipped)).toBeLessThan(0.03);
  });
});

describe('scenarios that crashed the real kernel', () => {
  it.each(hazards)('do not crash us in %s and are not scored', (_name, file) => {
    const result = replayFiles([file]);
    expect(result).toMatchObject({ passed: 0, failed: 0 });
    expect(result.skipped).toBeGreaterThan(0);
    expect(result.unscored.filter(({ got }) => got.errno === 'EFAULT')).toEqual([]);
  });
});
