/**
 * A store to a read-only view does not compile (`npm run check` checks this), and such a view can still be passed where an array
 * is expected.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openVolume } from '../../src/index.js';

describe('views that are only read', () => {
  it('fit where an array is asked for; a store does not compile, and does not reach the file', () => {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-views-'));
    const volume = openVolume(`${directory}/pool`, { size: '32MiB' });
    const file = volume.create('/a', { size: 4096 });
    const view = file.map();
    const floats = file.mapAs(Float32Array);
    const data = file.mapAs(DataView);
    const [window] = file.windows();
    const asked: [Uint8Array, Float32Array, DataView, Uint8Array] = [view, floats, data, window!];
    expect(asked.map(({ byteLength }) => byteLength)).toEqual([4096, 4096, 4096, 4096]);
    expect(Buffer.from(view).equals(Buffer.alloc(4096))).toBe(true);
    // @ts-expect-error an index that is only read
    view[0] = 1;
    // @ts-expect-error
    floats[1] = 1;
    // @ts-expect-error
    view.set([1], 8);
    // @ts-expect-error
    view.subarray(12).fill(1);
    // @ts-expect-error
    data.setUint8(16, 1);
    // @ts-expect-error
    window![20] = 1;
    const stored = new Uint8Array(4096);
    file.read(stored, 0);
    expect(stored).toEqual(new Uint8Array(4096));
    const writable = file.map({ writable: true });
    writable[0] = 1;
    file.mapAs(Float32Array, { writable: true })[1] = 1;
    file.read(stored, 0);
    expect(stored[0]).toBe(1);
    volume.close();
    fs.rmSync(directory, { recursive: true });
  });
});
