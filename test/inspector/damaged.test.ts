/** Whatever is in the memory, every view answers or says why not, and the server goes on. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mkfs } from '../../src/index.js';
import { startInspector } from '../../src/inspector/index.js';
import type { VolumeView } from '../../src/inspector/wire.js';
import { Tally } from '../support/tally.js';
import { askAt, fill, MIB, makeScene, type Scene } from './support.js';

const VIEWS = [
  'bus',
  'counters',
  'devices/dax0.0/map',
  'devices/dax0.0/map?cells=64',
  `devices/dax0.0/map?from=${10 * MIB}&to=${11 * MIB}&cells=256`,
  'devices/dax0.0/at?offset=0',
  `devices/dax0.0/at?offset=${30 * MIB + 5}`,
  'volumes/dax0.0',
  'volumes/dax0.0/tree',
  'volumes/dax0.0/tree?path=/models',
  'volumes/dax0.0/file?path=/striped',
  'volumes/dax0.0/search?q=o',
  'volumes/dax0.0/log',
  'volumes/dax0.0/fsck',
  'volumes/dax0.0/arenas',
  'volumes/dax0.0/arena?path=/kv',
];
/** Words of an error of ours in the program, not of the media. */
const BUG = /undefined|not a function|of null|Invalid|is not iterable|out of (memory|bounds)|Maximum call/;

let scene: Scene;
let memory: string;
beforeAll(async () => {
  scene = await makeScene();
  const volume = scene.mount();
  fill(volume);
  volume.close();
  memory = join(scene.root, 'regions/0.mem');
});
afterAll(() => scene.close());

/** Stores single bytes. @returns a function that puts the old ones back */
function damage(bytes: readonly [offset: number, value: number][]): () => void {
  const fd = openSync(memory, 'r+');
  const before = bytes.map(([offset]) => {
    const old = new Uint8Array(1);
    readSync(fd, old, 0, 1, offset);
    return old;
  });
  for (const [offset, value] of bytes) writeSync(fd, Uint8Array.of(value), 0, 1, offset);
  return () => {
    for (const [i, old] of [...before.entries()].reverse()) writeSync(fd, old, 0, 1, bytes[i]![0]);
    closeSync(fd);
  };
}

describe('a volume that somebody damages', () => {
  it('while it is looked at, or before, is told as damaged, and ends nothing', async () => {
    const tally = new Tally();
    const place = fc.oneof(
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: 2 * MIB, max: 2 * MIB + 48 + 6 * 544 }),
      fc.integer({ min: 50 * MIB, max: 60 * MIB }),
    );
    const byte = fc.tuple(place, fc.integer({ min: 0, max: 255 }));
    await fc.assert(
      fc.asyncProperty(fc.array(byte, { minLength: 1, maxLength: 4 }), async (bytes) => {
        const repair = damage(bytes);
        // One that knew the volume before, and one that meets it as it is.
        const fresh = await startInspector(scene.looking);
        try {
          for (const view of VIEWS)
            for (const inspector of [scene.inspector, fresh]) {
              const { status, text } = await askAt(inspector, `/api/${view}`);
              if (tally.count('answers', status === 200)) continue;
              const { error } = JSON.parse(text);
              expect(error.code, text).toMatch(/^E[A-Z]+$/);
              expect(error.message).not.toMatch(BUG);
              tally.count('is refused for damage', error.code === 'EBADMSG' || error.code === 'EINVAL');
            }
        } finally {
          repair();
          await fresh.close();
        }
      }),
      { numRuns: 60 },
    );
    tally.mustReach({ answers: 0.3, 'is refused for damage': 0.3 });
    expect((await scene.get<VolumeView>('volumes/dax0.0')).space.files).toBe(4);
  });

  it('is shown again once it is formatted', async () => {
    mkfs(scene.machine.device('dax0.0'), { force: true });
    expect((await scene.get<VolumeView>('volumes/dax0.0')).space.files).toBe(0);
  });
});
