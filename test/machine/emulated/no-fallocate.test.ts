// What went wrong: on file systems without fallocate(2) (ext3, NFS, 9p; here ramfs) a new backing was refused with EOPNOTSUPP,
// and so was zeroing. Right: zeroes are written there.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { takeUserBacking } from '../../../src/machine/emulated/region-backing.js';
import { createBacking } from '../../../src/memory/index.js';
import { afterwards, closedAfterwards, MiB, temporaryDirectory } from '../../memory/support.js';

const whyNot = process.getuid?.() === 0 ? '' : ' (skipped: mounting a ramfs needs root)';

describe.skipIf(whyNot !== '')(`a file system that cannot allocate${whyNot}`, () => {
  function ramfs(): string {
    const directory = temporaryDirectory();
    execFileSync('mount', ['-t', 'ramfs', 'ramfs', directory]);
    afterwards(() => execFileSync('umount', [directory]));
    return directory;
  }

  it('holds a new backing, which is zeroed by writing', () => {
    const file = path.join(ramfs(), 'memory');
    const backing = closedAfterwards(createBacking(file, 4 * MiB));
    expect(fs.statSync(file).size).toBe(4 * MiB);
    fs.writeSync(backing.fd, new Uint8Array(MiB).fill(5), 0, MiB, MiB);
    backing.zero(MiB + 1000, 5000);
    const bytes = fs.readFileSync(file);
    expect(bytes.subarray(MiB + 1000, MiB + 6000).every((byte) => byte === 0)).toBe(true);
    expect([bytes[MiB + 999], bytes[MiB + 6000]]).toEqual([5, 5]);
  });

  it("takes a user's file with holes only when `sparse` says so: the refusal names it", () => {
    const file = path.join(ramfs(), 'mine');
    fs.writeFileSync(file, '');
    fs.truncateSync(file, 4 * MiB);
    const take = (sparse: boolean) => takeUserBacking(file, 0, 4 * MiB, { sparse, coherent: true });
    expect(() => take(false)).toThrow(
      expect.objectContaining({
        code: 'EOPNOTSUPP',
        message: expect.stringContaining('{ sparse: true }'),
        hint: 'sparse',
      }),
    );
    closedAfterwards(take(true));
  });
});
