import { spawnSync } from 'node:child_process';
import type fs from 'node:fs';
import { chmodSync, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Volume } from '../../src/index.js';
import { everywhere, famfsRules, mountOnly, onDirectories, runs } from './posix/behaviours.js';
import { checkInOwnProcess, runsChecks } from './posix/checking.js';
import { clientOnly, reading } from './posix/checks.mjs';
import { type DirectoryFace, directoryFace, type Face, libraryFace } from './posix/faces.js';
import { because, noMounts, Place } from './support.js';

const isRoot = process.geteuid?.() === 0;

const TMPFS_MAGIC = 0x01021994;
const haveTmpfs = isTmpfs('/dev/shm');

function isTmpfs(path: string): boolean {
  try {
    return Number(statfsSync(path).type) === TMPFS_MAGIC;
  } catch {
    return false;
  }
}

describe('the library', () => {
  let place: Place;
  let volume: Volume;
  let face: Face;
  beforeAll(() => {
    place = new Place();
    place.makeVolume('512MiB');
    volume = place.volume();
    face = libraryFace(volume);
  });
  afterAll(() => place.close());
  runs([...everywhere, ...famfsRules], () => face, false);
  for (const [number, { name, files = {}, check }] of reading.entries()) {
    it(`volume.fs: ${name}`, () => {
      const at = `/reading-${number}`;
      face.mkdir(at);
      for (const [file, text] of Object.entries(files)) face.write(`${at}/${file}`, text);
      check(volume.fs as unknown as typeof fs, at);
    });
  }
});

describe(`a mount, of what is not published yet${because}`, () => {
  const skip = noMounts !== '';
  let place: Place;
  let face: DirectoryFace;
  let root: string;
  beforeAll(() => {
    if (skip) return;
    place = new Place();
    place.makeVolume('512MiB');
    // Some checks run as a plain user.
    chmodSync(place.directory, 0o755);
    root = place.mount('dax0.0', '--allow-other', '--settle', '600');
    face = directoryFace(root);
  });
  afterAll(() => place?.close());
  runs([...everywhere, ...onDirectories], () => face, skip);
  runsChecks(
    ['reading', 'alike', 'changes', 'mountChanges'],
    () => face,
    () => root,
    skip,
  );
});

describe(`a mount that publishes at close${because}`, () => {
  const skip = noMounts !== '';
  let place: Place;
  let face: DirectoryFace;
  let root: string;
  beforeAll(() => {
    if (skip) return;
    place = new Place();
    place.makeVolume('2GiB');
    chmodSync(place.directory, 0o755);
    root = place.mount('dax0.0', '--allow-other');
    face = directoryFace(root);
  });
  afterAll(() => place?.close());
  runs([...everywhere, ...onDirectories], () => face, skip);
  runsChecks(
    ['alike', 'changes', 'mountChanges'],
    () => face,
    () => root,
    skip,
  );
  it.skipIf(skip)('leaves a volume in order', () => {
    expect(place.udax('umount', root).stderr).toBe('');
    expect(place.udax('fsck', 'dax0.0').stdout).toMatch(/: clean\n$/);
  });
});

describe(`a plain mount${because}`, () => {
  const skip = noMounts !== '';
  let place: Place;
  let face: DirectoryFace;
  let root: string;
  beforeAll(() => {
    if (skip) return;
    place = new Place();
    place.makeVolume('512MiB');
    chmodSync(place.directory, 0o755);
    root = place.mount('dax0.0', '--plain', '--allow-other');
    face = directoryFace(root);
  });
  afterAll(() => place?.close());
  runs([...famfsRules, ...mountOnly], () => face, skip);
  runsChecks(
    ['famfsOnly'],
    () => face,
    () => root,
    skip,
  );
});

describe.skipIf(noMounts !== '')(`a mount that only reads${because}`, () => {
  let place: Place;
  beforeAll(() => {
    place = new Place();
    place.makeVolume('64MiB');
    const volume = place.volume();
    volume.create('/f', { size: 5 }).write(Buffer.from('12345'), 0);
    volume.mkdir('/d');
  });
  afterAll(() => place?.close());
  for (const [number, { name }] of clientOnly.entries()) {
    it(`with --read-only: ${name}`, () => {
      expect(checkInOwnProcess('clientOnly', number, place.mount('dax0.0', '--read-only'))).toBe('');
    });
    it(`as a client: ${name}`, () => {
      const at = place.mountpoint();
      expect(place.udax('--role', 'client', 'mount', 'dax0.0', at)).toMatchObject({ status: 0 });
      expect(checkInOwnProcess('clientOnly', number, at)).toBe('');
    });
  }
});

describe(`tmpfs${haveTmpfs ? '' : ' (skipped: /dev/shm is not tmpfs)'}`, () => {
  let directory: string;
  let isOwn = false;
  let face: DirectoryFace;
  beforeAll(() => {
    if (!haveTmpfs) return;
    directory = mkdtempSync('/dev/shm/udax-posix-');
    // One of its own: what others take and free in /dev/shm would be seen by statfs.
    if (isRoot) isOwn = spawnSync('mount', ['-t', 'tmpfs', 'udax-test', directory]).status === 0;
    chmodSync(directory, 0o755);
    face = directoryFace(directory);
  });
  afterAll(() => {
    if (isOwn) spawnSync('umount', ['-l', directory]);
    if (haveTmpfs) rmSync(directory, { recursive: true, force: true });
  });
  runs([...everywhere, ...onDirectories], () => face, !haveTmpfs);
  // Some checks of the mount change owners and users.
  describe.skipIf(!isRoot)(`as root${isRoot ? '' : ' (skipped: who runs this is not root)'}`, () => {
    runsChecks(
      ['reading', 'alike', 'changes'],
      () => face,
      () => directory,
      !haveTmpfs,
    );
  });
});
