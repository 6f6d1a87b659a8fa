/** Ctrl-C in the middle of udax compact --defragment: the volume is whole, and the next one goes on. */
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startUdax, temporaryDirectory, udax } from './support/udax.js';

const MIB = 2 ** 20;
let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

/** A volume whose file of 384 MiB can move to the front. */
function movable(name: string): string {
  const root = join(directory.path, name);
  for (const words of [
    ['create-region', '-s', '1GiB', '--sparse'],
    ['reconfigure-device', '-m', 'famfs', 'dax0.0'],
    ['mkfs', 'dax0.0'],
    ['creat', '-s', '400M', 'dax0.0:/front'],
    ['creat', '-s', '384M', '-r', '-S', '42', 'dax0.0:/data'],
    ['rm', 'dax0.0:/front'],
  ]) {
    expect(udax(root, ...words)).toMatchObject({ status: 0 });
  }
  return root;
}

/** Interrupts a compact once it has moved its first bytes. @returns whether it had not ended by then */
async function interrupted(root: string): Promise<boolean> {
  const regions = join(root, 'regions');
  const memory = openSync(join(regions, readdirSync(regions)[0]!), 'r');
  const first = Buffer.alloc(64);
  const compact = startUdax(root, 'compact', '--defragment', 'dax0.0');
  const ended = once(compact, 'close');
  try {
    do {
      readSync(memory, first, 0, 64, 10 * MIB);
      await new Promise(setImmediate);
    } while (first.every((byte) => byte === 0) && compact.exitCode === null);
    compact.kill('SIGINT');
    await ended;
  } finally {
    closeSync(memory);
  }
  return compact.exitCode !== 0;
}

it('leaves all files with their bytes and all free space, and the next compact completes it', async () => {
  let root = '';
  let isInterrupted = false;
  // On a busy machine it may have ended before the signal comes.
  for (let attempt = 0; attempt < 5 && !isInterrupted; attempt++) {
    root = movable(`state${attempt}`);
    isInterrupted = await interrupted(root);
  }
  expect(isInterrupted).toBe(true);
  const space = () => JSON.parse(udax(root, '--json', 'df', 'dax0.0').stdout);
  expect(udax(root, 'verify', '-S', '42', 'dax0.0:/data').status).toBe(0);
  expect(space()).toMatchObject({ files: 1, used: 394 * MIB, reserved: 0 });
  expect(JSON.parse(udax(root, '--json', 'fsck', 'dax0.0').stdout)).toMatchObject({ ok: true, notes: [] });
  expect(udax(root, 'compact', '--defragment', 'dax0.0').status).toBe(0);
  const map = JSON.parse(udax(root, '--json', 'getmap', 'dax0.0:/data').stdout);
  expect(map.extents).toEqual([{ devindex: 0, offset: 10 * MIB, length: 384 * MIB }]);
  expect(udax(root, 'verify', '-S', '42', 'dax0.0:/data').status).toBe(0);
});
