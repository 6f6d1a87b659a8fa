// The short form of the kill and stop proof. Nothing that was reported to a process is lost when it or another process is killed.
// When a process is stopped with a lock, the processes that need the lock are told its name, and no reader waits.
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
      report.rows.reduce((total, { figures }) => total + Number(figures[figure] ?? 0), 0);
    expect(sum('kills')).toBeGreaterThanOrEqual(10);
    expect(sum('stops')).toBeGreaterThanOrEqual(8);
    expect(sum('lost')).toBe(0);
    // A process was refused because a stopped one had the log's lock.
    expect(sum('refused by name')).toBeGreaterThan(0);
    const mount = report.rows.find(({ what }) => what.startsWith('the daemon of a mount'))!;
    if (mount.detail === undefined) expect(Number(mount.figures.operations)).toBeGreaterThan(0);
    const arena = report.rows.find(({ what }) => what.includes('of an arena'))!;
    expect(Number(arena.figures.told)).toBeGreaterThan(0);
    expect(leftovers('kill', run)).toEqual([]);
  });
});
