import { mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { afterAll, beforeAll, describe } from 'vitest';
import { everywhere, famfsRules, mountOnly, onDirectories, runs } from './posix/behaviours.js';
import { type DirectoryFace, directoryFace, type Face, libraryFace } from './posix/faces.js';
import { because, noMounts, Place } from './support.js';

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
  let face: Face;
  beforeAll(() => {
    place = new Place();
    place.makeVolume('512MiB');
    face = libraryFace(place.volume());
  });
  afterAll(() => place.close());
  runs([...everywhere, ...famfsRules], () => face, false);
});

describe(`a mount${because}`, () => {
  const skip = noMounts !== '';
  let place: Place;
  let face: DirectoryFace;
  beforeAll(() => {
    if (skip) return;
    place = new Place();
    place.makeVolume('512MiB');
    face = directoryFace(place.mount());
  });
  afterAll(() => place?.close());
  runs([...everywhere, ...famfsRules, ...onDirectories, ...mountOnly], () => face, skip);
});

describe(`tmpfs${haveTmpfs ? '' : ' (skipped: /dev/shm is not tmpfs)'}`, () => {
  let directory: string;
  let face: DirectoryFace;
  beforeAll(() => {
    if (!haveTmpfs) return;
    directory = mkdtempSync('/dev/shm/udax-posix-');
    face = directoryFace(directory);
  });
  afterAll(() => {
    if (haveTmpfs) rmSync(directory, { recursive: true, force: true });
  });
  runs([...everywhere, ...onDirectories], () => face, !haveTmpfs);
});
