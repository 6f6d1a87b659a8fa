import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type FuseSession, startSession } from '../../dist/fuse/index.js';
import { cloneMount, closeDescriptor } from '../../dist/libc/index.js';
import { because, noMounts } from '../mounts/support.js';

let session: FuseSession | undefined;
let directory = '';
afterEach(async () => {
  await session?.unmount({ whenBusy: 'abort' });
  session = undefined;
  fs.rmSync(directory, { recursive: true, force: true });
});

async function start(): Promise<string> {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-later-'));
  const target = path.join(directory, 'target');
  fs.writeFileSync(target, '.'.repeat(100));
  const mountpoint = path.join(directory, 'mnt');
  fs.mkdirSync(mountpoint);
  const moduleUrl = new URL('support/later-file-system.mjs', import.meta.url);
  session = await startSession({ mountpoint, fileSystem: { moduleUrl, data: { target } } });
  return mountpoint;
}

const writeInto = (fd: number, text: string) =>
  new Promise<number>((resolve, reject) => {
    fs.write(fd, text, 0, 'latin1', (error, written) => (error ? reject(error) : resolve(written)));
  });

describe.skipIf(noMounts !== '')(`on a real mount${because}`, () => {
  it('a WRITE that the main thread carries out piece by piece is answered with its length, or its errno', async () => {
    const mountpoint = await start();
    const fd = fs.openSync(path.join(mountpoint, 'a'), 'r+');
    try {
      expect(await writeInto(fd, 'abcdef')).toBe(6);
      expect(fs.readFileSync(path.join(directory, 'target'), 'latin1').slice(0, 60)).toBe(
        `def${'.'.repeat(47)}abc${'.'.repeat(7)}`,
      );
      await expect(writeInto(fd, '!')).rejects.toMatchObject({ code: 'EBADF' });
    } finally {
      fs.closeSync(fd);
    }
  });

  it('files that are opened through a copy of the mount do not keep it busy, and outlive it', async () => {
    const mountpoint = await start();
    const tree = cloneMount(mountpoint);
    const fd = fs.openSync(`/proc/self/fd/${tree}/a`, 'r+');
    await session!.unmount({ whenBusy: 'fail' });
    expect(fs.readdirSync(mountpoint)).toEqual([]);
    closeDescriptor(tree);
    // Nobody answers the FLUSH of a connection that has ended.
    expect(() => fs.closeSync(fd)).toThrow(expect.objectContaining({ code: 'ENOTCONN' }));
  });
});
