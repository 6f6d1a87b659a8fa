// The proof of kills and stops in its short form. Nothing that a process was told is lost when it or another is killed; who is stopped
// with a lock is named to those who need it, and nobody who reads waits.
import { describe, expect, it } from 'vitest';
import { builtTool, leftovers } from './support.js';

const kill = builtTool('kill');

describe('kill -9 and SIGSTOP', () => {
  it('lose nothing that was told, keep no lock and no space, and are named to who waits', async () => {
    const run = await kill('--short');
    const { report, code, stderr } = run;
    expect(report.findings, stderr).toEqual([]);
    expect(code).toBe(0);
    const sum = (figure: string) =>
      report.rows.reduce((total, { figures }) => total + Number(figures[figure]), 0);
    expect(sum('kills')).toBeGreaterThanOrEqual(10);
    expect(sum('stops')).toBeGreaterThanOrEqual(8);
    expect(sum('lost')).toBe(0);
    // With the log locked by who was stopped, somebody was refused.
    expect(sum('refused by name')).toBeGreaterThan(0);
    expect(leftovers('kill', run)).toEqual([]);
  });
});
