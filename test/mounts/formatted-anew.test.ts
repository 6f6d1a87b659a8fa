/**
 * Incident: after another host's mkfs a mount went on reading and writing memory that now had other owners. Right: ESTALE, as
 * docs/mount.md says.
 */
import fs from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, output, Place, sh, until } from './support.js';

describe.skipIf(because !== '')(`a mount whose memory was formatted anew${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume();
  });
  afterEach(() => place.close());

  /** Another host's stores meet no lock of this host. The superblock gets another uuid. */
  function formattedByAnotherHost(): void {
    const fd = fs.openSync(path.join(place.root, 'regions', '0.mem'), 'r+');
    fs.writeSync(fd, Buffer.alloc(16, 0x77), 0, 16, 48);
    fs.closeSync(fd);
  }

  it('is ESTALE for files that are open and files that are not, and stores nothing', async () => {
    const volume = place.volume();
    const file = volume.create('/f', { size: 8192 });
    file.write(Buffer.alloc(8192, 1), 0);
    const { offset } = volume.getmap('/f').extents[0]!;
    const at = place.mount();
    output(`cat '${at}/f' > /dev/null`);
    const fd = fs.openSync(path.join(at, 'f'), 'r+');
    try {
      formattedByAnotherHost();
      expect(() => fs.writeSync(fd, Buffer.alloc(8192, 2), 0, 8192, 0)).toThrow(
        // libuv has no name for this errno.
        expect.objectContaining({ errno: -constants.errno.ESTALE }),
      );
      await until('reads are ESTALE', () => {
        try {
          fs.readSync(fd, Buffer.alloc(16), 0, 16, 0);
          return false;
        } catch (error) {
          return (error as NodeJS.ErrnoException).errno === -constants.errno.ESTALE;
        }
      });
    } finally {
      fs.closeSync(fd);
    }
    expect(sh(`cat '${at}/f'`).stderr).toMatch(/Stale file handle/);
    expect(sh(`echo x > '${at}/new'`).stderr).toMatch(/Stale file handle/);
    const memory = fs.openSync(path.join(place.root, 'regions', '0.mem'), 'r');
    const bytes = Buffer.alloc(8192);
    fs.readSync(memory, bytes, 0, 8192, offset);
    fs.closeSync(memory);
    expect(bytes.every((byte) => byte === 1)).toBe(true);
  });
});
