/**
 * Incident: what settled in a mount of another process could only be published by its umount; a failure of fsync(2) on a directory was
 * told to nobody, and volume.publish() left it unpublished. Right: `udax publish DIR` and publishMount() reach the process that serves the mount,
 * and name what could not be published.
 */
import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ofdLock } from '../../src/libc/index.js';
import { publishMount } from '../../src/mounts/index.js';
import { because, MIB, noMounts, Place, until } from './support.js';

describe.skipIf(noMounts !== '')(`publishing what a mount has not published yet${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume();
  });
  afterEach(() => place.close());

  const names = () => {
    const volume = place.volume();
    const found = [...volume.walk('/')].map((stat) => stat.path);
    volume.close();
    return found;
  };

  it('is done at once by udax publish DIR, whatever process serves it', async () => {
    const at = place.mount('dax0.0', '--settle', '600');
    fs.mkdirSync(path.join(at, 'd/e'), { recursive: true });
    fs.writeFileSync(path.join(at, 'd/e/closed'), 'closed');
    const open = fs.openSync(path.join(at, 'd/open'), 'w');
    fs.writeSync(open, 'open');
    expect(names()).toEqual([]);
    expect(place.udax('publish', at)).toMatchObject({ status: 0, stderr: '' });
    expect(names()).toEqual(['/d', '/d/e', '/d/e/closed']);
    fs.closeSync(open);
    // Whoever looks at this process' descriptors in that moment keeps the file open for that long.
    await until('it counts as closed', () => {
      expect(place.udax('publish', 'dax0.0')).toMatchObject({ status: 0, stderr: '' });
      return names().length === 4;
    });
    expect(names()).toEqual(['/d', '/d/e', '/d/e/closed', '/d/open']);
  });

  it('names what could not be published, and it stays', () => {
    const at = place.mount('dax0.0', '--settle', '600');
    fs.writeFileSync(path.join(at, 'a'), 'a');
    fs.mkdirSync(path.join(at, 'd'));
    fs.writeFileSync(path.join(at, 'd/b'), 'b');
    const region = fs.openSync(
      path.join(place.root, 'regions', fs.readdirSync(path.join(place.root, 'regions'))[0]!),
      'r+',
    );
    // A process that has the log and does not go on.
    const logHeader = { start: 2 * MIB, length: 48 };
    expect(ofdLock(region, 'exclusive', logHeader)).toBe(true);
    const refused = place.udax('publish', at);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/not published: .*\/a \(EBUSY\).*; they stay in the mount.*\(EBUSY\)/);
    expect(fs.readFileSync(path.join(at, 'a'), 'utf8')).toBe('a');
    fs.closeSync(region);
    expect(place.udax('publish', at)).toMatchObject({ status: 0, stderr: '' });
    expect(names()).toEqual(['/a', '/d', '/d/b']);
  });

  it('is done by publishMount(), and by publish() of a volume in any process', async () => {
    const at = place.mount('dax0.0', '--settle', '600');
    fs.writeFileSync(path.join(at, 'a'), 'a');
    await publishMount(at);
    expect(names()).toEqual(['/a']);
    fs.writeFileSync(path.join(at, 'b'), 'b');
    const volume = place.volume();
    volume.publish();
    volume.close();
    await until('the mount has published it', () => names().includes('/b'));
  });

  it('is EINVAL for a directory where no udax is mounted', () => {
    const refused = place.udax('publish', place.directory);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/no famfs of udax is mounted at .*\(EINVAL\)/);
  });
});
