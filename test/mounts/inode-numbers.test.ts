import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FileTree } from '../../src/famfs/index.js';
import { Pool } from '../famfs/volume/support.js';
import { initRequest, type Piece, request } from '../fuse/support/wire.js';
import { FamfsWire, FIRST_NEW, O_EXCL, ROOT } from './famfs-wire.js';
import { because, have, noMounts, output, Place } from './support.js';

// What went wrong: the mount turned (parent, name) and inode numbers into paths, and the volume turned them back by walking from
// the root, two or three times for each file. A late FORGET made the mount forget that the kernel has pages of a file. Right: numbers are used
// throughout, and lookups are counted.
const [EPERM, ENOENT, EBUSY, EEXIST, ENOTDIR] = [-1, -2, -16, -17, -20];
const [EROFS, ENAMETOOLONG, ENOSYS, ENOTEMPTY, EOPNOTSUPP, ESTALE] = [-30, -36, -38, -39, -95, -116];

let pool: Pool;
beforeEach(() => {
  pool = new Pool();
});
afterEach(() => {
  vi.restoreAllMocks();
  pool.close();
});

const wireOf = (options: ConstructorParameters<typeof FamfsWire>[1] = {}) =>
  new FamfsWire(pool.mount(), options);

describe('paths', () => {
  it('are never walked from the root, from CREATE and MKDIR to the log and back', () => {
    const volume = pool.mount();
    volume.mkdir('/logged');
    const famfs = new FamfsWire(volume);
    const walked = vi.spyOn(FileTree.prototype, 'lookup');
    const logged = famfs.lookup(ROOT, 'logged').node;
    const inLogged = famfs.mkdir(logged, 'new');
    const file = famfs.make(inLogged.node, 'file', 'text');
    const other = famfs.make(logged, 'other', 'other');
    expect(famfs.errorOf(20, file.node, ['u64', 0n], ['u32', 0], ['u32', 0])).toBe(0); // FSYNC publishes, its directory first
    famfs.publish();
    expect(famfs.errorOf(20, file.node, ['u64', 0n], ['u32', 0], ['u32', 0])).toBe(0);
    expect(famfs.lookup(inLogged.node, 'file').error).toBe(0);
    const { handle } = famfs.open(other.node, 2);
    famfs.write(other.node, handle, 'OTHER');
    expect(famfs.read(other.node, handle)).toBe('OTHER');
    famfs.close(other.node, handle);
    famfs.rename(logged, 'other', 'x');
    expect(walked).not.toHaveBeenCalled();
    expect(volume.readdir('/logged/new')).toEqual(['file']);
    expect(pool.fsck()).toEqual([]);
  });

  it('are not made by LOOKUP, GETATTR, OPEN, READ, FLUSH and RELEASE', () => {
    const volume = pool.mount();
    volume.mkdir('/a');
    volume.create('/a/file', { size: 5 }).write(Buffer.from('12345'), 0);
    const famfs = new FamfsWire(volume);
    const made = vi.spyOn(FileTree.prototype, 'pathOf');
    const { node } = famfs.lookup(famfs.lookup(ROOT, 'a').node, 'file');
    expect(famfs.getattr(node)).toMatchObject({ error: 0, size: 5n });
    const { handle } = famfs.open(node);
    expect(famfs.read(node, handle)).toBe('12345');
    expect([famfs.flush(node, handle), famfs.release(node, handle)]).toEqual([0, 0]);
    expect(made).not.toHaveBeenCalled();
  });
});

describe('names', () => {
  it('of the log cannot be renamed or replaced on a plain mount, however it is asked, and stay', () => {
    const volume = pool.mount({ plain: true });
    volume.create('/logged', { size: 1 }).close();
    volume.mkdir('/directory');
    const famfs = new FamfsWire(volume, { plain: true });
    famfs.make(ROOT, 'settling', 'x');
    const names = ['logged', 'directory'];
    const nodes = names.map((name) => famfs.lookup(ROOT, name).node);
    const NOREPLACE = 1;
    const EXCHANGE = 2;
    for (const name of names) {
      for (const flags of [undefined, 0, NOREPLACE, EXCHANGE]) {
        const isTaken = flags === NOREPLACE;
        for (const to of ['other', 'logged'])
          expect([name, flags, famfs.rename(ROOT, name, to, flags)]).toEqual([
            name,
            flags,
            to === 'logged' && isTaken ? EEXIST : EPERM,
          ]);
      }
    }
    expect(names.map((name) => famfs.lookup(ROOT, name).node)).toEqual(nodes);
    expect(famfs.lookup(ROOT, 'other').node).toBe(0n);
    expect([undefined, NOREPLACE].map((flags) => famfs.rename(ROOT, 'settling', 'logged', flags))).toEqual([
      EPERM,
      EEXIST,
    ]);
  });

  it('on a volume that only reads are EROFS to rename, to remove and to make', () => {
    pool.mount().create('/f', { size: 1 }).close();
    const famfs = new FamfsWire(pool.mount({ readOnly: true }));
    expect(famfs.rename(ROOT, 'f', 'g')).toBe(EROFS);
    expect(famfs.errorOf(10, ROOT, ['text', 'f\0'])).toBe(EROFS);
    expect(famfs.errorOf(11, ROOT, ['text', 'f\0'])).toBe(EROFS);
    expect([famfs.create(ROOT, 'g').error, famfs.mkdir(ROOT, 'd').error]).toEqual([EROFS, EROFS]);
  });

  it('have up to 255 bytes, whatever the log holds of their path, also in directories that are not in the log', () => {
    const famfs = wireOf();
    const above = famfs.mkdir(ROOT, '\u00e9'.repeat(20)); // 40 bytes
    expect(famfs.create(above.node, 'n'.repeat(256)).error).toBe(ENAMETOOLONG);
    expect(famfs.mkdir(above.node, '\u00e9'.repeat(128)).error).toBe(ENAMETOOLONG);
    expect(famfs.make(above.node, 'n'.repeat(255), 'x').error).toBe(0);
    expect(famfs.lookup(ROOT, 'n'.repeat(256)).error).toBe(ENAMETOOLONG);
    expect(famfs.lookup(ROOT, 'n'.repeat(255))).toMatchObject({ error: 0, node: 0n });
    famfs.publish();
    expect([famfs.reports, pool.fsck()]).toEqual([[], []]);
    expect(pool.mount().exists(`/${'\u00e9'.repeat(20)}/${'n'.repeat(255)}`)).toBe(true);
  });

  it('are made in directories only, and in those that are known', () => {
    const volume = pool.mount();
    volume.create('/file', { size: 1 }).close();
    const famfs = new FamfsWire(volume);
    const settling = famfs.make(ROOT, 'settling', 'x').node;
    const logged = famfs.lookup(ROOT, 'file').node;
    const parents: [bigint, number][] = [
      [logged, ENOTDIR],
      [settling, ENOTDIR],
      [77n, ENOENT],
      [FIRST_NEW + 77n, ESTALE],
    ];
    for (const [parent, errno] of parents)
      expect([parent, famfs.create(parent, 'n').error, famfs.mkdir(parent, 'n').error]).toEqual([
        parent,
        errno,
        errno,
      ]);
    expect(famfs.reports).toEqual([]);
  });

  it('of what is settling are found at once by LOOKUP, with what was last said of it, and go when it is removed', () => {
    const famfs = wireOf();
    const d = famfs.mkdir(ROOT, 'd').node;
    const made = famfs.create(d, 'f');
    expect(famfs.lookup(d, 'f')).toMatchObject({ node: made.node, size: 0n });
    famfs.write(made.node, made.handle, 'abc');
    expect(famfs.lookup(d, 'f')).toMatchObject({ node: made.node, size: 3n });
    famfs.close(made.node, made.handle);
    expect(famfs.errorOf(11, ROOT, ['text', 'd\0'])).toBe(ENOTEMPTY);
    expect(famfs.errorOf(10, d, ['text', 'f\0'])).toBe(0);
    expect(famfs.lookup(d, 'f').node).toBe(0n);
    expect(famfs.errorOf(11, ROOT, ['text', 'd\0'])).toBe(0);
    expect(famfs.lookup(ROOT, 'd').node).toBe(0n);
    // The names are free again, also for other mounts.
    pool.mount().mkdir('/d');
    expect(famfs.lookup(ROOT, 'd').error).toBe(0);
  });

  it('keep the node they were made under when their directory is published, before what is in it', () => {
    const famfs = wireOf();
    const d = famfs.mkdir(ROOT, 'd').node;
    const e = famfs.mkdir(d, 'e').node;
    const f = famfs.make(e, 'f', 'abc').node;
    expect(famfs.errorOf(20, f, ['u64', 0n], ['u32', 0], ['u32', 0])).toBe(0);
    const volume = pool.mount();
    expect([volume.stat('/d').ino, volume.stat('/d/e').ino, volume.stat('/d/e/f').ino]).toEqual([2, 3, 4]);
    // By the node, and by the number in the log.
    expect([famfs.lookup(e, 'f').node, famfs.lookup(3n, 'f').node]).toEqual([f, f]);
    expect(famfs.make(d, 'late', 'x').error).toBe(0);
    famfs.publish();
    expect(pool.mount().stat('/d/late').ino).toBe(5);
  });
});

describe('two mounts of one volume', () => {
  it('cannot make the same name: EEXIST to who wants to be alone and to mkdir, EBUSY else, until it is given back', () => {
    const [one, two] = [wireOf(), wireOf()];
    const file = one.create(ROOT, 'f');
    const d = one.mkdir(ROOT, 'd').node;
    expect([two.create(ROOT, 'f').error, two.create(ROOT, 'f', { flags: 2 | O_EXCL }).error]).toEqual([
      EBUSY,
      EEXIST,
    ]);
    expect([two.mkdir(ROOT, 'd').error, two.create(ROOT, 'd').error]).toEqual([EEXIST, EBUSY]);
    expect([two.lookup(ROOT, 'f').node, two.lookup(ROOT, 'd').node]).toEqual([0n, 0n]);
    expect(one.errorOf(10, ROOT, ['text', 'f\0'])).toBe(0);
    one.release(file.node, file.handle);
    expect(one.errorOf(11, ROOT, ['text', 'd\0'])).toBe(0);
    expect(two.make(ROOT, 'f', 'two').error).toBe(0);
    expect(two.mkdir(ROOT, 'd').error).toBe(0);
    // A removed directory takes nothing more in, and is not published.
    expect([one.make(d, 'x', 'lost').error, one.mkdir(d, 'x').error]).toEqual([ENOENT, ENOENT]);
    two.publish();
    one.publish();
    expect([one.reports, two.reports, pool.mount().readdir('/d')]).toEqual([[], [], []]);
  });

  it('see what the other published under its number in the log, and what is their own under their node', () => {
    const [one, two] = [wireOf(), wireOf()];
    const d = one.mkdir(ROOT, 'd').node;
    const f = one.make(d, 'f', 'abc').node;
    expect(two.lookup(ROOT, 'd').node).toBe(0n);
    one.publish();
    expect(two.lookup(ROOT, 'd')).toMatchObject({ node: 2n, inode: 2n });
    expect(two.lookup(2n, 'f')).toMatchObject({ node: 3n, inode: 3n, size: 3n });
    expect([one.lookup(ROOT, 'd').node, one.lookup(d, 'f').node]).toEqual([d, f]);
    expect(two.errorOf(10, 2n, ['text', 'no\0'])).toBe(ENOENT);
    // Each mount continues in the directory, whatever name it has there.
    expect([one.make(d, 'of one', '1').error, two.make(2n, 'of two', '2').error]).toEqual([0, 0]);
    one.publish();
    two.publish();
    expect(pool.mount().readdir('/d')).toEqual(['f', 'of one', 'of two']);
    expect([one.reports, two.reports, pool.fsck()]).toEqual([[], [], []]);
  });
});

describe('lookup counts', () => {
  const node = (name: string, famfs: FamfsWire) => famfs.lookup(ROOT, name).node;

  it('a FORGET that comes after a newer LOOKUP leaves the pages known: they are dropped when something is published', () => {
    const volume = pool.mount();
    volume.create('/f', { size: 5, mode: 0o444 }).close();
    const famfs = new FamfsWire(volume);
    const f = node('f', famfs);
    expect(node('f', famfs)).toBe(f); // the kernel had dropped it, and asks anew: its FORGET is still on the way
    const { handle } = famfs.open(f);
    famfs.forget(f, 1);
    famfs.release(f, handle);
    expect(famfs.publish()).toEqual([Number(f)]);
    famfs.forget(f, 1);
    expect(famfs.publish()).toEqual([]);
  });

  it('READDIRPLUS counts every name it sends, BATCH_FORGET takes them all', () => {
    const volume = pool.mount();
    for (const name of ['a', 'b']) volume.create(`/${name}`, { size: 5 }).close();
    const famfs = new FamfsWire(volume);
    famfs.ask(44, ROOT, ['u64', 0n], ['u64', 0n], ['u32', 4096], ['u32', 0], ['u64', 0n], ['u64', 0n]);
    for (const at of [2n, 3n]) famfs.release(at, famfs.open(at).handle);
    node('a', famfs);
    const forget = (...counts: [bigint, bigint][]) => {
      const words = counts.flat().map((word): Piece => ['u64', word]);
      famfs.wire.send(batchForget(counts.length, words));
    };
    forget([2n, 1n], [3n, 1n]);
    expect(famfs.publish()).toEqual([2]);
    forget([2n, 1n]);
    expect(famfs.publish()).toEqual([]);
  });

  it('a file made here keeps its node as long as the kernel holds a lookup, then has the one of the log', () => {
    const famfs = wireOf({ settleMilliseconds: 0 });
    const made = famfs.make(ROOT, 'f', 'abc').node;
    expect(made).toBeGreaterThanOrEqual(FIRST_NEW);
    expect(node('f', famfs)).toBe(made);
    famfs.forget(made, 1);
    expect(node('f', famfs)).toBe(made);
    famfs.forget(made, 2);
    expect(famfs.getattr(made).error).toBe(ESTALE);
    expect(famfs.lookup(ROOT, 'f')).toMatchObject({ node: 2n, inode: 2n, size: 3n });
  });

  it('what is not published stays when the kernel forgets it', () => {
    const famfs = wireOf();
    const d = famfs.mkdir(ROOT, 'd').node;
    const f = famfs.make(d, 'f', 'abc').node;
    famfs.forget(f, 1);
    famfs.forget(d, 1);
    expect([node('d', famfs), famfs.lookup(d, 'f').node]).toEqual([d, f]);
    famfs.publish();
    expect(pool.mount().stat('/d/f').size).toBe(3);
  });
});

describe('a handle', () => {
  it('of a file that was published under it writes within the size, and behind it: then it is published anew', () => {
    const famfs = wireOf({ settleMilliseconds: 0 });
    const { node, handle } = famfs.create(ROOT, 'f');
    famfs.write(node, handle, 'abc');
    expect(famfs.flush(node, handle)).toBe(0);
    expect(famfs.write(node, handle, 'X', 2)).toBe(0);
    expect(pool.mount().fs.readFileSync('/f', 'utf8')).toBe('abX');
    expect(famfs.write(node, handle, 'd', 3)).toBe(0);
    expect([famfs.getattr(node).size, pool.mount().stat('/f').size]).toEqual([4n, 3]);
    expect([famfs.flush(node, handle), famfs.release(node, handle)]).toEqual([0, 0]);
    const volume = pool.mount();
    expect([volume.fs.readFileSync('/f', 'utf8'), volume.stat('/f').ino]).toEqual(['abXd', 2]);
    expect([famfs.reports, pool.fsck()]).toEqual([[], []]);
  });

  it('that is open when the mount ends leaves no trace of what was not published', () => {
    const famfs = wireOf({ settleMilliseconds: 0 });
    const { node, handle } = famfs.create(ROOT, 'f');
    famfs.write(node, handle, 'abc');
    famfs.fileSystem.destroy();
    const volume = pool.mount();
    expect([volume.exists('/f'), volume.statfs().logUsed]).toEqual([false, 0]);
    volume.mkdir('/f'); // its name is free
    expect(pool.fsck()).toEqual([]);
  });
});

describe('what is not implemented', () => {
  const opendir: Piece[] = [
    ['u32', 0],
    ['u32', 0],
  ];
  const getxattr: Piece[] = [
    ['u32', 64],
    ['u32', 0],
    ['text', 'user.famfs.device\0'],
  ];
  const listxattr: Piece[] = [
    ['u32', 0],
    ['u32', 0],
  ];
  const setxattr: Piece[] = [
    ['u32', 1],
    ['u32', 0],
    ['text', 'user.a\0x'],
  ];

  it('OPENDIR is ENOSYS where the kernel can do without, and works where it cannot', () => {
    const volume = pool.mount();
    const modern = new FamfsWire(volume);
    expect(modern.errorOf(27, ROOT, ...opendir)).toBe(ENOSYS);
    expect(modern.wire.dispatcher.connection?.unimplemented).toEqual(['OPENDIR']);
    const init = new Uint8Array(initRequest);
    const NO_OPENDIR_SUPPORT_BYTE = 40 + 12 + 3; // bit 24 of flags
    init[NO_OPENDIR_SUPPORT_BYTE]! &= 0xfe;
    const old = new FamfsWire(volume, { init });
    expect(old.errorOf(27, ROOT, ...opendir)).toBe(0);
    expect(old.wire.dispatcher.connection?.unimplemented).toEqual([]);
  });

  it('extended attributes are as the mount was asked', () => {
    const volume = pool.mount();
    const withNone = new FamfsWire(volume, { xattrs: false });
    expect([withNone.errorOf(22, ROOT, ...getxattr), withNone.errorOf(23, ROOT, ...listxattr)]).toEqual([
      ENOSYS,
      ENOSYS,
    ]);
    expect(withNone.wire.dispatcher.connection?.unimplemented).toEqual([
      'GETXATTR',
      'LISTXATTR',
      'SETXATTR',
      'REMOVEXATTR',
      'OPENDIR',
    ]);
    const withAll = new FamfsWire(volume);
    expect([withAll.errorOf(22, ROOT, ...getxattr), withAll.errorOf(23, ROOT, ...listxattr)]).toEqual([0, 0]);
    const plain = new FamfsWire(volume, { plain: true });
    const answers = [withNone, withAll, plain].map((famfs) => famfs.errorOf(21, ROOT, ...setxattr));
    expect(answers).toEqual([ENOSYS, 0, EOPNOTSUPP]);
  });
});

describe.skipIf(noMounts !== '')(`on a real mount${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('128MiB');
  });
  afterEach(() => place.close());

  it.skipIf(!have('python3'))(
    'on a plain mount a descriptor in a socket while its file is published is EFBIG behind the end, and writes within (needs python3)',
    () => {
      const at = place.mount('dax0.0', '--plain');
      const script = `import errno, os, socket
f = os.open('${at}/f', os.O_CREAT | os.O_RDWR)
os.write(f, b'abc')
here, there = socket.socketpair()
socket.send_fds(here, [b'x'], [f])
os.close(f)  # the last that anybody sees: published
f = socket.recv_fds(there, 1, 1)[1][0]
try: os.pwrite(f, b'long', 2)
except OSError as error: print(errno.errorcode[error.errno])
os.pwrite(f, b'X', 2)
print(os.pread(f, 9, 0).decode())`;
      expect(output(`python3 -c "${script}"`, 20)).toBe('EFBIG\nabX\n');
      expect(place.volume().stat('/f').size).toBe(3);
    },
  );

  it('the session tells what was not implemented', async () => {
    const built = new URL('../../dist/mounts/index.js', import.meta.url).href;
    const { mountFamfsAt } = (await import(built)) as typeof import('../../src/mounts/index.js');
    const mount = await mountFamfsAt('dax0.0', place.mountpoint(), { root: place.root, xattrs: false });
    try {
      expect(mount.session.connection.unimplemented).toContain('SETXATTR');
    } finally {
      await mount.unmount();
    }
  });
});

function batchForget(count: number, words: Piece[]): Uint8Array {
  return request(42, 6n, 0n, ['u32', count], ['u32', 0], ...words);
}
