/**
 * Incident: a file for more than was free filled the disk, was refused when it was full, and only then given back. Programs that wrote
 * meanwhile found no space. Right: what cannot fit is refused before anything is allocated.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { interposeCalls, type NativeFunction } from '../../src/libc/load.js';

let calls = 0;
interposeCalls((prototype: string, call: NativeFunction): NativeFunction => {
  if (!prototype.startsWith('int fallocate(')) return call;
  return (...args) => {
    calls++;
    return call(...args);
  };
});
const { createBacking, openBacking } = await import('../../src/memory/index.js');

const GIB = 2 ** 30;

it.each(['disk', '/dev/shm'])(
  'more than is free of the %s is ENOSPC before anything is allocated',
  (where) => {
    const directory = fs.mkdtempSync(path.join(where === 'disk' ? os.tmpdir() : where, 'udax-too-much-'));
    try {
      const { bfree, bsize } = fs.statfsSync(directory);
      const file = path.join(directory, 'pool');
      expect(() => createBacking(file, bfree * bsize + 8 * GIB)).toThrow(
        expect.objectContaining({ code: 'ENOSPC', path: file }),
      );
      expect(fs.readdirSync(directory)).toEqual([]);
      // A user's own file with holes.
      fs.writeFileSync(file, '');
      fs.truncateSync(file, bfree * bsize + 8 * GIB);
      const backing = openBacking(file, { writable: true });
      expect(() => backing.ensure(0, backing.size)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
      expect(fs.statSync(file).blocks).toBe(0);
      expect(calls).toBe(0);
      // What fits is allocated.
      expect(backing.ensure(0, 2 ** 20)).toBe(true);
      expect([calls, fs.statSync(file).blocks]).toEqual([1, 2048]);
      calls = 0;
      backing.close();
    } finally {
      fs.rmSync(directory, { recursive: true });
    }
  },
);
