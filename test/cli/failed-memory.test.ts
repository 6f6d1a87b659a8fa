// What went wrong: 'udax cp' over a file whose memory had failed said "1 file", and the next process met the failure again. fsck
// called a failed page of superblock or log "clean". Right: overwriting repairs the memory for every process, fsck reports the
// failure, and its advice works.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryDirectory, udax } from './support/udax.js';

describe('failed memory on the command line', () => {
  let directory: ReturnType<typeof temporaryDirectory>;
  let root: string;
  let source: string;
  const run = (...args: string[]) => udax(root, ...args);
  beforeEach(() => {
    directory = temporaryDirectory();
    root = join(directory.path, 'root');
    source = join(directory.path, 'source');
    writeFileSync(source, Buffer.alloc(1_000_000, 'udax'));
    for (const args of [
      ['create-region', '-s', '32M', '--sparse'],
      ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
      ['mkfs', 'dax0.0'],
      ['mkdir', 'dax0.0:/d'],
      ['cp', source, 'dax0.0:/d/a'],
    ]) {
      expect(run(...args).status).toBe(0);
    }
  });
  afterEach(() => directory.remove());

  it('under a file: overwriting it repairs it for the next process', () => {
    run('poison', 'dax0.0', '10M', '4096');
    expect(run('cat', 'dax0.0:/d/a').stderr).toContain('EIO');
    expect(run('fsck', 'dax0.0')).toMatchObject({
      status: 1,
      stdout: expect.stringContaining('ERROR file-memory'),
    });
    expect(run('cp', source, 'dax0.0:/d/a').status).toBe(0);
    expect(run('poison', '--list').stdout).toBe('no bad memory is known\n');
    expect(run('cat', 'dax0.0:/d/a').stdout).toHaveLength(1_000_000);
    expect(run('fsck', 'dax0.0').status).toBe(0);
  });

  it('under the log: fsck says so, cp --salvage gets what is left and exits 1, mkfs -f makes it good', {
    timeout: 150_000,
  }, () => {
    run('poison', 'dax0.0', '3M', '4096');
    const checked = run('fsck', 'dax0.0');
    expect(checked).toMatchObject({ status: 1, stdout: expect.stringContaining('--salvage') });
    expect(run('ls', 'dax0.0:/').stderr).toContain('--salvage');
    const out = join(directory.path, 'out');
    expect(run('cp', '-r', '--salvage', 'dax0.0:/', out).status).toBe(0);
    expect(run('cp', join(out, 'd', 'a'), source).status).toBe(2);
    run('poison', 'dax0.0', '2M', '4096');
    // Both log entries were in that page.
    expect(run('cp', '-r', '--salvage', 'dax0.0:/', join(directory.path, 'nothing'))).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('cannot be read'),
    });
    expect(run('mkfs', '-f', 'dax0.0').status).toBe(0);
    expect(run('poison', '--list').stdout).toBe('no bad memory is known\n');
    expect(run('cp', '-r', out, 'dax0.0:/').status).toBe(0);
    expect(run('fsck', 'dax0.0').status).toBe(0);
  });
});
