import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderReplay, replayFiles } from '../../src/lab/replay/index.js';
import { fixture, sharedTranscripts } from './support.js';

const files = sharedTranscripts();
const hazards = sharedTranscripts('hazard');
const absent = files.length === 0 ? ' (skipped: ../shared/conformance/dax is not here)' : '';

describe('the recorded answers of Linux 7.2', () => {
  it('are ours in the scenarios that travel with the tests', () => {
    const result = replayFiles([fixture('selection.json')]);
    expect(result.differences, renderReplay(result)).toEqual([]);
    expect(result.passed).toBeGreaterThan(200);
  });

  it.skipIf(files.length === 0).each(files)(`are ours in %s${absent}`, (file) => {
    const result = replayFiles([file]);
    expect(result.differences, renderReplay(result)).toEqual([]);
    expect(result.passed, basename(file)).toBeGreaterThan(0);
  });

  it.skipIf(files.length === 0)(`are skipped for under 10 % of the steps${absent}`, () => {
    const { passed, failed, skipped } = replayFiles(files);
    expect(skipped / (passed + failed + skipped)).toBeLessThan(0.1);
  });
});

describe('scenarios that crashed the real kernel', () => {
  it('do not crash us and are not scored', () => {
    const result = replayFiles([fixture('hazard.json')]);
    expect(result).toMatchObject({ passed: 0, failed: 0, skipped: 22 });
    expect(result.unscored.filter(({ got }) => got.errno === 'EFAULT')).toEqual([]);
  });

  it.skipIf(hazards.length === 0).each(hazards)(`do not crash us in %s${absent}`, (file) => {
    const result = replayFiles([file]);
    expect(result.failed).toBe(0);
    expect(result.unscored.filter(({ got }) => got.errno === 'EFAULT')).toEqual([]);
  });
});
