/** Media that C famfs made: a rewrite keeps what a mount shows of them, in C's own order and layout. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { deviceMedia, Log, mountFamfsOn, type Volume } from '../../../src/famfs/index.js';
import { golden, goldenEntries, goldenNames, storedBytes } from '../golden.js';
import { machineOver } from '../volume/support.js';

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-golden-'));
afterAll(() => fs.rmSync(directory, { recursive: true, force: true }));

/** A whole device with a golden image at its start, opened as its owner. */
function opened(name: string) {
  const { full_len, device_size, decoded_by_c } = golden(name);
  const file = path.join(directory, name);
  fs.writeFileSync(file, storedBytes(name));
  fs.truncateSync(file, Math.max(full_len, device_size));
  const uuid = String(decoded_by_c.superblock.system_uuid ?? '');
  return machineOver(file, uuid === '' ? {} : { uuid });
}

/** Everything a mount shows, with the place of each file. */
const shown = (volume: Volume) =>
  [...volume.walk('/')].map((stat) => ({
    path: stat.path,
    size: stat.size,
    mode: stat.mode,
    owner: [stat.uid, stat.gid],
    map: stat.isDirectory() ? null : volume.getmap(stat.path),
  }));

describe('a golden image', () => {
  it.each(goldenNames)('%s shows the same after a rewrite that drops what no mount shows', async (name) => {
    const machine = opened(name);
    let volume: Volume;
    try {
      volume = mountFamfsOn(machine, { role: 'master' });
    } catch (error) {
      // What cannot be mounted cannot be rewritten.
      expect((error as { code?: string }).code).toMatch(/^(EINVAL|EOPNOTSUPP|EBADMSG|EPERM|EFBIG)$/);
      machine.close();
      return;
    }
    try {
      const before = shown(volume);
      if (volume.problems.length > volume.skipped.length) {
        await expect(volume.rewrite({}, {})).rejects.toMatchObject({ code: 'EBADMSG' });
        return;
      }
      const result = await volume.rewrite({ dropDamaged: true });
      expect(shown(volume)).toEqual(before);
      expect(result.changed).toBe(result.damaged > 0);
      const [first] = before.filter(({ map }) => map !== null);
      if (first === undefined) return;
      await volume.rewrite({ remove: [first.path] });
      expect(shown(volume)).toEqual(before.filter((one) => one !== first));
      // The entries that stay are C's, but for their numbers and crcs.
      const media = deviceMedia(machine);
      const log = Log.open(media, volume.superblock);
      const kept = goldenEntries(name).filter(
        ({ kind, path: entryPath }) =>
          kind === 'add_daxdev' || before.some((one) => one !== first && one.path === `/${entryPath}`),
      );
      const left = Array.from({ length: log.nextIndex() }, (_, index) => log.entry(index));
      expect(left.map((entry) => ('path' in entry ? entry.path : ''))).toEqual(
        kept.map(({ kind, path: entryPath }) => (kind === 'add_daxdev' ? '' : entryPath)),
      );
      media.close();
    } finally {
      volume.close();
      machine.close();
    }
  });
});
