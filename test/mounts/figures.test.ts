/** mount.figures(): what a mount of this process has done. */
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountFamfsAt } from '../../dist/mounts/index.js';
import { because, noMounts, Place } from './support.js';

describe.skipIf(noMounts !== '')(`the figures of a mount${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('64MiB');
  });
  afterEach(() => place.close());

  it('count requests by kind, bytes, open files and what is not published', async () => {
    const at = place.mountpoint();
    const mount = await mountFamfsAt('dax0.0', at, {
      root: place.root,
      measure: true,
      settleMilliseconds: 600_000,
    });
    await fs.promises.writeFile(path.join(at, 'a'), Buffer.alloc(10_000, 1));
    const file = await fs.promises.open(path.join(at, 'a'));
    const figures = (await mount.figures())!;
    expect(figures).toMatchObject({ writtenBytes: 10_000, openFiles: 1, unpublished: 1, replayLag: 0 });
    expect(figures.lookAge).toBeLessThan(10);
    const create = figures.operations.find(({ name }) => name === 'CREATE')!;
    expect(create).toMatchObject({ count: 1, errors: 0 });
    expect(create.buckets.reduce((sum, some) => sum + some, 0)).toBe(1);
    await file.close();
    await mount.publish();
    const after = (await mount.figures())!;
    expect(after).toMatchObject({ openFiles: 0, unpublished: 0 });
    expect(after.operations.find(({ name }) => name === 'RELEASE')!.count).toBeGreaterThan(0);
    await mount.unmount();
    await expect(mount.figures()).rejects.toMatchObject({ code: 'ENOTCONN' });
  });

  it('are null where nothing is measured', async () => {
    const mount = await mountFamfsAt('dax0.0', place.mountpoint(), { root: place.root });
    expect(await mount.figures()).toBeNull();
    await mount.unmount();
  });
});
