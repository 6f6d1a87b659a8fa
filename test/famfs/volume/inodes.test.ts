import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewPlace, Volume } from '../../../src/famfs/index.js';
import { Pool } from './support.js';

// What went wrong: a server that works with inode numbers had to build paths to make something, and the call that made it
// returned no number: publish() had to look up its own path. Right: (directory, name) is a place, also in a directory that is not
// logged yet. Every call that appends an entry returns the inode of that entry.
const OWN = { mode: 0o640, uid: 1, gid: 2 };
const bytes = Buffer.from('abc');

describe('a place for something new', () => {
  let pool: Pool;
  let volume: Volume;
  beforeEach(() => {
    pool = new Pool();
    volume = pool.mount();
    volume.mkdir('/d');
    volume.create('/d/file', { size: 1 }).close();
  });
  afterEach(() => pool.close());

  const directory = () => volume.stat('/d').ino;
  const grow = (place: NewPlace) => {
    const file = volume.inodes.grow(place, OWN);
    file.write(bytes, 0);
    return file;
  };
  /** 0, or the code of the refusal. */
  const outcome = (place: NewPlace): string | 0 => {
    try {
      volume.inodes.grow(place, OWN).end();
      return 0;
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  };

  it('is a name in a directory, with the answers of a path', () => {
    const names = [
      'new',
      'file',
      '.',
      '..',
      'a\0b',
      'x'.repeat(255),
      'x'.repeat(256),
      '\ud800',
      '\udc80',
      '\u00e9'.repeat(128),
    ];
    const answers = names.map((name) => outcome({ directory: directory(), name }));
    expect(answers).toEqual(names.map((name) => outcome(`/d/${name}`)));
    expect(answers).toEqual([
      0,
      'EEXIST',
      'EINVAL',
      'EINVAL',
      'EINVAL',
      0,
      'ENAMETOOLONG',
      'EINVAL',
      0,
      'ENAMETOOLONG',
    ]);
  });

  it('is one name, in a directory that is there', () => {
    const { ino } = volume.stat('/d/file');
    expect(outcome({ directory: ino, name: 'x' })).toBe('ENOTDIR');
    expect(outcome({ directory: 4711, name: 'x' })).toBe('ENOENT');
    for (const name of ['', 'a/b', '/', 'a/'])
      expect([name, outcome({ directory: 1, name })]).toEqual([name, 'EINVAL']);
    expect(() => volume.inodes.grow({ directory: ino, name: 'x' }, OWN)).toThrow(
      '/d/file/x: /d/file is a file, not a directory',
    );
  });

  it('of the wrong kind is EINVAL that says what is wanted', () => {
    for (const place of [
      undefined,
      null,
      5,
      {},
      { directory: 1 },
      { directory: 1, name: 5 },
      { directory: -1, name: 'x' },
    ])
      for (const make of ['grow', 'growDirectory'] as const)
        expect(() => volume.inodes[make](place as unknown as NewPlace, OWN)).toThrow(
          expect.objectContaining({
            code: 'EINVAL',
            message: expect.stringMatching(/place is to be a string, or /),
          }),
        );
  });

  it('what is refused is named by its path, and nothing is kept of it', () => {
    const reader = pool.mount({ readOnly: true });
    const place = { directory: directory(), name: 'new' };
    expect(() => reader.inodes.grow(place, OWN)).toThrow(/^\/d\/new cannot be written/);
    expect(() => reader.inodes.growDirectory(place, OWN)).toThrow(
      expect.objectContaining({ code: 'EROFS', path: '/d/new' }),
    );
    expect(() => volume.inodes.grow(place, { ...OWN, mode: 0o10000 })).toThrow(
      expect.objectContaining({ code: 'EINVAL' }),
    );
    expect(outcome(place)).toBe(0);
  });

  it('publishing gives the number that every host has for it, though others append between', () => {
    const other = pool.mount();
    for (let i = 0; i < 5; i++) {
      const file = grow({ directory: directory(), name: `f${i}` });
      const made = volume.inodes.growDirectory({ directory: 1, name: `d${i}` }, OWN);
      other.mkdir(`/other${i}`);
      const inos = [file.publish(), made.publish()];
      other.refresh();
      expect(inos).toEqual([other.stat(`/d/f${i}`).ino, other.stat(`/d${i}`).ino]);
      expect(made.ino).toBe(inos[1]);
    }
    expect(other.stat('/d/f0')).toMatchObject({ ...OWN, size: 3 });
    expect(pool.fsck()).toEqual([]);
  });

  it('can be in a directory that comes, at any depth; it is published after that, else ENOENT', () => {
    const above = volume.inodes.growDirectory({ directory: directory(), name: 'above' }, OWN);
    const below = volume.inodes.growDirectory({ directory: above, name: 'below' }, OWN);
    const file = grow({ directory: below, name: 'file' });
    expect([volume.exists('/d/above'), above.ino]).toEqual([false, null]);
    expect(() => file.publish()).toThrow(
      expect.objectContaining({ code: 'ENOENT', path: '/d/above/below/file' }),
    );
    expect(() => below.publish()).toThrow(
      /\/d\/above\/below: its directory \/d\/above is not in the log yet/,
    );
    above.mode = 0o700; // what it has when it is published counts
    const inos = [above.publish(), below.publish(), file.publish()];
    expect(inos).toEqual(
      ['/d/above', '/d/above/below', '/d/above/below/file'].map((path) => volume.stat(path).ino),
    );
    expect(volume.stat('/d/above').mode).toBe(0o700);
    expect(outcome({ directory: below, name: 'file' })).toBe('EEXIST');
    expect(pool.fsck()).toEqual([]);
  });

  it('is kept for its maker among all of this host until it is published or given back', () => {
    const other = pool.mount();
    const made = volume.inodes.growDirectory({ directory: directory(), name: 'new' }, OWN);
    // The error names the process that has the place: that process may be stopped.
    for (const make of [
      () => other.mkdir('/d/new'),
      () => other.create('/d/new', { size: 1 }),
      () => other.inodes.grow({ directory: directory(), name: 'new' }, OWN),
      () => other.inodes.growDirectory('/d/new', OWN),
    ])
      expect(make).toThrow(
        expect.objectContaining({
          code: 'EBUSY',
          message: expect.stringMatching(new RegExp(`^/d/new is being made by pid ${process.pid} [(]`)),
        }),
      );
    made.end();
    made.end();
    other.mkdir('/d/new');
    expect(() => made.publish()).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  });

  it('a full log is told before anything is begun, entries promised to others included', () => {
    const place = { directory: directory(), name: 'x' };
    const free = volume.statfs().logFree;
    const attempts = [
      (entriesBefore: number) => volume.inodes.grow(place, { ...OWN, entriesBefore }),
      (entriesBefore: number) => volume.inodes.growDirectory(place, { ...OWN, entriesBefore }),
    ];
    for (const attempt of attempts) {
      expect(() => attempt(free)).toThrow(expect.objectContaining({ code: 'ENOSPC' }));
      attempt(free - 1).end();
    }
  });

  it('the bytes of a file are flushed by its number; a directory has none', () => {
    volume.inodes.flush(volume.stat('/d/file').ino);
    expect(() => volume.inodes.flush(directory())).toThrow(expect.objectContaining({ code: 'EISDIR' }));
    expect(() => volume.inodes.flush(4711)).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => volume.flush('/d')).toThrow(expect.objectContaining({ code: 'EISDIR', path: '/d' }));
  });
});

describe('the lag of a volume', () => {
  it('is how many entries others published that it has not applied', () => {
    const pool = new Pool();
    try {
      const [writer, reader] = [pool.mount(), pool.mount()];
      expect(reader.inodes.lag).toBe(0);
      for (const name of ['/a', '/b']) writer.create(name, { size: 1 }).close();
      expect([writer.inodes.lag, reader.inodes.lag]).toEqual([0, 2]);
      reader.refresh();
      expect(reader.inodes.lag).toBe(0);
    } finally {
      pool.close();
    }
  });
});
