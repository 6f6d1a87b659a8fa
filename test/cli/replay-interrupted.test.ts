/** Incident: Ctrl-C in `udax replay` ended it without output. Right: it prints what was found so far, and exits with 130. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { kitTranscripts } from '../../src/lab/replay/kit.js';
import { binary, testEnvironment } from './support/udax.js';

/** More than a minute of work. */
const files = Array.from({ length: 40 }, () => kitTranscripts()).flat();
/** Clock ticks of processor time: far more than reading the transcripts takes, and far less than replaying them. */
const BUSY_TICKS = 1200;

describe('replay that is interrupted', () => {
  it.each([[[]], [['--json']]])(
    'prints what it has found so far, and exits 130 %j',
    async (words) => {
      const child = spawn(process.execPath, [binary, ...words, 'replay', ...files], {
        env: testEnvironment(),
      });
      let stdout = '';
      child.stdout.on('data', (data) => (stdout += data));
      const closed = once(child, 'close');
      while (Number(readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(' ')[13]) < BUSY_TICKS)
        await wait(20);
      child.kill('SIGINT');
      expect(await closed).toEqual([130, null]);
      if (words.length === 0) {
        expect(stdout).toMatch(
          /\ninterrupted after \d+ scenarios; of these:\n\d+ passed, 0 failed, \d+ skipped\n$/,
        );
        return;
      }
      const result = JSON.parse(stdout);
      expect(result).toMatchObject({ interrupted: true, failed: 0 });
      expect(result.passed).toBeGreaterThan(0);
    },
    120_000,
  );
});
