/**
 * Incident (found by fuzzing): `openDevice('\0')` threw Node's TypeError, as node:fs refuses such paths before any system call. Right:
 * a path with a NUL is EINVAL, as every other name that cannot be, whichever function is given it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  fsck,
  mkfs,
  mountFamfs,
  openDevice,
  openKernel,
  openMachine,
  openVolume,
  type Volume,
} from '../../src/index.js';

const bad = '/tmp/a\0b';
let directory = '';
let volume: Volume;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'udax-nul-'));
  volume = openVolume(join(directory, 'state'), { size: '64MiB' });
  await volume.writeFile('/file', Buffer.from('bytes'));
});
afterEach(() => {
  volume.close();
  rmSync(directory, { recursive: true, force: true });
});

const calls: Record<string, () => unknown> = {
  openMachine: () => openMachine(bad),
  'openMachine, made': () => openMachine(bad, { create: true }),
  openKernel: () => openKernel(`kernel:${bad}`),
  openDevice: () => openDevice(bad),
  'openDevice, below a state directory': () => openDevice('dax0.0', { root: bad }),
  mountFamfs: () => mountFamfs(bad),
  mkfs: () => mkfs(bad),
  fsck: () => fsck(bad),
  copyIn: () => volume.copyIn(bad, '/new'),
  'copyIn, as': () => volume.copyIn('/etc/passwd', bad),
  copyOut: () => volume.copyOut('/file', bad),
  'copyOut, of': () => volume.copyOut(bad, join(directory, 'out')),
  writeFile: () => volume.writeFile(bad, Buffer.from('x')),
  mkdir: () => volume.mkdir(bad),
  unlink: () => volume.unlink(bad),
  rename: () => volume.rename('/file', bad),
  symlink: () => volume.symlink(bad, '/link'),
  truncate: () => volume.truncate(bad, 5),
};

describe('a path with a NUL byte', () => {
  it.each(Object.keys(calls))('is EINVAL, or names nothing: %s', async (name) => {
    const error = await Promise.resolve()
      .then(calls[name])
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect(error).toMatchObject({ name: 'DaxError', code: expect.stringMatching(/^(EINVAL|ENOENT)$/) });
  });
});
