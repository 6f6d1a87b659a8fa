// Claim S17 of docs/security.md: the library that `udax run` loads into programs. (test/run/trust.test.ts has more of whom it believes.)
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkout } from '../run/support.js';

describe('the preload library', () => {
  it('S17: is not loaded when it was changed after it was built', () => {
    const copy = fs.mkdtempSync(path.join(fs.realpathSync('/tmp'), 'udax-run-copy-'));
    try {
      for (const name of ['bin', 'dist', 'native', 'package.json'])
        fs.cpSync(path.join(checkout, name), path.join(copy, name), { recursive: true });
      fs.symlinkSync(path.join(checkout, 'node_modules'), path.join(copy, 'node_modules'));
      const run = () =>
        spawnSync(process.execPath, [path.join(copy, 'bin/udax.js'), 'run', '--', 'true'], {
          encoding: 'utf8',
        });
      fs.rmSync(path.join(copy, 'dist/native'), { recursive: true, force: true });
      expect([run().status, run().stderr]).toEqual([0, '']);
      fs.appendFileSync(path.join(copy, 'native/prebuilt', `linux-${process.arch}`, 'udax-run.so'), 'x');
      const { status, stderr } = run();
      expect(status).toBe(1);
      expect(stderr).toMatch(/is not what native\/prebuilt\/SHA256SUMS says.*\(EBADMSG\)/);
    } finally {
      fs.rmSync(copy, { recursive: true, force: true });
    }
  });
});
