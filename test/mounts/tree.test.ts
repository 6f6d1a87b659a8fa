import fs from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { because, have, MIB, noMounts, output, Place, sh, until } from './support.js';

describe.skipIf(noMounts !== '')(`a mounted volume${because}`, () => {
  let place: Place;
  beforeEach(() => {
    place = new Place();
    place.makeVolume('256MiB');
  });
  afterEach(() => place.close());

  /** A source tree with files of some sizes, modes and depths. */
  function sourceTree(): string {
    const source = path.join(place.directory, 'source');
    fs.mkdirSync(path.join(source, 'deep', 'er'), { recursive: true });
    const sizes = { a: 1, b: 4095, c: 4097, 'deep/d': 3 * MIB + 5, 'deep/er/e': 70_000 };
    for (const [name, size] of Object.entries(sizes)) {
      const bytes = Buffer.alloc(size, 0);
      for (let i = 0; i < size; i += 7) bytes[i] = (i * 31 + size) & 0xff;
      fs.writeFileSync(path.join(source, name), bytes, { mode: 0o640 });
    }
    fs.chmodSync(path.join(source, 'a'), 0o444);
    return source;
  }

  const sums = (directory: string) => output(`cd '${directory}' && find . -type f | sort | xargs sha256sum`);
  /** Mode, owner, size and name. Directories have no comparable size. */
  const listing = (directory: string) =>
    output(
      `cd '${directory}' && find . -mindepth 1 -printf '%P %M %u %g %y' \\( -type f -printf ' %s\\n' -o -printf '\\n' \\) | sort`,
    );

  it('shows the names, modes, sizes and bytes of the tree that udax cp put there', () => {
    const source = sourceTree();
    expect(place.udax('cp', '-r', source, 'dax0.0:/').status).toBe(0);
    const at = place.mount();
    expect(sums(`${at}/source`)).toBe(sums(source));
    expect(listing(`${at}/source`)).toBe(listing(source));
    expect(output(`ls -lR '${at}/source' | grep -c '^-'`).trim()).toBe('5');
  });

  it('takes cp -r, mkdir and tar x, and the library reads what they wrote', () => {
    const source = sourceTree();
    const at = place.mount('dax0.0', '--settle', '600');
    output(`cp -r '${source}' '${at}/copied'`);
    output(`mkdir -p '${at}/untarred' && tar -C '${source}' -cf - . | tar -C '${at}/untarred' -xf -`);
    expect(sums(`${at}/copied`)).toBe(sums(source));
    expect(sums(`${at}/untarred`)).toBe(sums(source));
    expect(place.udax('umount', at).status).toBe(0);
    const volume = place.volume();
    expect(volume.stat('/copied/deep/d').size).toBe(3 * MIB + 5);
    expect(volume.stat('/untarred/a').mode).toBe(0o444);
    expect(place.udax('fsck', 'dax0.0').status).toBe(0);
  });

  it('cp -p keeps mode, owner and times of files in the making', () => {
    const source = sourceTree();
    const at = place.mount();
    output(`chown 1234:2345 '${source}/b' && touch -d '2001-02-03 04:05:06 UTC' '${source}/b'`);
    output(`cp -p '${source}/b' '${at}/b'`);
    expect(output(`stat -c '%u %g %a %Y' '${at}/b'`)).toBe('1234 2345 640 981173106\n');
    expect(place.volume().stat('/b')).toMatchObject({ uid: 1234, gid: 2345, mode: 0o640 });
  });

  it('a striped file stays striped when it grows or is cut, and keeps its bytes; without room it is not', async () => {
    const stripe = { nstrips: 4, nbuckets: 8, chunkSize: 2 * MIB };
    const before = place.volume();
    before.create('/striped', { size: 24 * MIB, stripe }).close();
    const at = place.mount();
    const copy = path.join(place.directory, 'copy');
    output(`dd if=/dev/urandom of='${at}/striped' bs=1M count=24 conv=notrunc 2>/dev/null`);
    output(`cp '${at}/striped' '${copy}'`);
    const same = async (change: string) => {
      for (const file of [`${at}/striped`, copy]) output(change.replaceAll('FILE', file));
      // It is published with its last descriptor, which the kernel may give back after the command.
      const { size } = fs.statSync(copy);
      await until('it is published', () => place.volume().stat('/striped').size === size);
      expect(output(`cmp '${at}/striped' '${copy}'`)).toBe('');
      return place.volume().getmap('/striped');
    };
    const grown = await same(`head -c 3000000 /dev/zero | tr '\\0' x >> 'FILE'`);
    expect(grown).toMatchObject({ type: 'interleaved', nstrips: 4, chunkSize: 2 * MIB });
    expect(await same(`truncate -s 5000001 'FILE'`)).toMatchObject({ type: 'interleaved', nstrips: 4 });
    const { free } = place.volume().statfs();
    // Room for one copy, not for two.
    place
      .volume()
      .create('/filler', { size: free - 10 * MIB })
      .close();
    expect((await same(`echo end >> 'FILE'`)).type).toBe('simple');
    expect(place.udax('fsck', 'dax0.0')).toMatchObject({
      status: 0,
      stdout: expect.stringContaining('clean'),
    });
  });

  it('a new file grows on the device by doubling, and is cut to whole units when it is closed', () => {
    const at = place.mount();
    output(`dd if=/dev/urandom of='${at}/big' bs=1M count=45 2>/dev/null`);
    const map = place.volume().getmap('/big');
    expect(map.size).toBe(45 * MIB);
    expect(map.type).toBe('simple');
    expect(map.extents.reduce((sum, { length }) => sum + length, 0)).toBe(46 * MIB);
    expect(map.extents.length).toBeLessThanOrEqual(6);
  });

  it('two writers at once get files that are whole, in extents of their own', () => {
    const at = place.mount();
    output(
      `for i in 1 2 3 4; do dd if=/dev/urandom of='${place.directory}/s'$i bs=1M count=9 2>/dev/null; done`,
    );
    output(
      `cd '${place.directory}'; for i in 1 2 3 4; do dd if=s$i of='${at}/f'$i bs=64k 2>/dev/null & done; wait`,
    );
    for (const i of [1, 2, 3, 4]) output(`cmp '${place.directory}/s${i}' '${at}/f${i}'`);
    expect(place.udax('fsck', 'dax0.0').status).toBe(0);
  });

  it('a shell group writes one file, though every command of it closes it', () => {
    const at = place.mount();
    output(`{ echo one; /bin/echo two; (echo three); } > '${at}/group'`);
    expect(output(`cat '${at}/group'`)).toBe('one\ntwo\nthree\n');
    expect(place.volume().stat('/group').size).toBe(14);
  });

  it('a full device is ENOSPC to the writer, and nothing is left of the file that did not fit', () => {
    const at = place.mount();
    const before = place.volume().statfs().free;
    for (const writer of [
      `dd if=/dev/zero of='${at}/toobig' bs=1M count=400`,
      `truncate -s 400M '${place.directory}/big'; cp --sparse=never '${place.directory}/big' '${at}/toobig'`,
    ]) {
      const { status, stderr } = sh(writer);
      expect([status, /No space left on device/.test(stderr)]).toEqual([1, true]);
      expect(output(`ls '${at}'`)).toBe('');
      const volume = place.volume();
      expect([volume.exists('/toobig'), volume.statfs().free]).toEqual([false, before]);
    }
    output(`echo fits > '${at}/toobig'`);
    expect(output(`cat '${at}/toobig'`)).toBe('fits\n');
  });

  it.skipIf(!have('python3'))(
    'a writer that goes on after ENOSPC with what fits keeps its file (needs python3)',
    () => {
      const at = place.mount();
      const script = `
import os
f = os.open('${at}/log', os.O_CREAT | os.O_WRONLY)
os.write(f, b'begin')
try: os.pwrite(f, b'x', 1 << 40)
except OSError as error: os.write(f, error.strerror.encode())
os.close(f)
`;
      output(`python3 -c "${script}"`);
      expect(output(`cat '${at}/log'`)).toBe('beginNo space left on device');
    },
  );

  it('df shows the size and free space of the volume, and its log slots as inodes', () => {
    const at = place.mount();
    const { size, free, logSlots } = place.volume().statfs();
    expect(
      output(`df -B1 --output=size,avail,itotal '${at}' | tail -1`).trim().split(/\s+/).map(Number),
    ).toEqual([size, free, logSlots]);
  });

  it.skipIf(!have('getfattr'))('getfattr tells where a file is (needs the program attr)', () => {
    place
      .volume()
      .create('/f', { size: 5 * MIB })
      .close();
    const at = place.mount();
    const [extent] = place.volume().getmap('/f').extents;
    const text = output(`getfattr -d -m 'user.famfs' --absolute-names '${at}/f'`);
    expect(text).toContain('user.famfs.device="dax0.0"');
    expect(text).toContain('user.famfs.type="simple"');
    expect(text).toContain(
      `user.famfs.extents="0:0x${extent!.offset.toString(16)}+0x${extent!.length.toString(16)}"`,
    );
    expect(sh(`getfattr -n user.famfs.extents '${at}'`).stderr).toContain('No such attribute');
    expect(sh(`setfattr -n user.famfs.type -v x '${at}/f'`).stderr).toContain('not supported');
  });

  it.skipIf(!have('python3'))('python3 reads and maps a file through the mount (needs python3)', () => {
    const source = sourceTree();
    place.udax('cp', `${source}/deep/d`, 'dax0.0:/d');
    const at = place.mount();
    const script = `
import hashlib, mmap
with open('${at}/d', 'rb') as f:
    data = f.read()
    m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    print(hashlib.sha256(data).hexdigest(), hashlib.sha256(m).hexdigest())
`;
    const [read, mapped] = output(`python3 -c "${script}"`).trim().split(' ');
    const wanted = output(`sha256sum '${source}/deep/d'`).split(' ')[0];
    expect([read, mapped]).toEqual([wanted, wanted]);
  });

  it.skipIf(!have('sqlite3'))('sqlite3 reads a database through the mount (needs sqlite3)', () => {
    const database = path.join(place.directory, 'x.db');
    output(`sqlite3 '${database}' 'create table t(a); insert into t values (1),(2),(40)'`);
    place.udax('cp', database, 'dax0.0:/x.db');
    const at = place.mount('dax0.0', '--read-only');
    expect(output(`sqlite3 'file:${at}/x.db?immutable=1' 'select sum(a) from t'`)).toBe('43\n');
  });

  it('a tree of 10,000 files lists, finds and sums as its source does', () => {
    place.udax('create-region', '-s', '24G', '--sparse');
    place.udax('reconfigure-device', '-m', 'famfs', 'dax1.0');
    place.udax('mkfs', 'dax1.0');
    const source = path.join(place.directory, 'many');
    for (let d = 0; d < 100; d++) {
      fs.mkdirSync(path.join(source, `d${d}`), { recursive: true });
      for (let f = 0; f < 100; f++)
        fs.writeFileSync(path.join(source, `d${d}`, `f${f}`), `${d} ${f} `.repeat(1 + ((d * f) % 300)));
    }
    expect(place.udax('cp', '-r', source, 'dax1.0:/many')).toMatchObject({ status: 0 });
    const at = place.mount('dax1.0');
    const finds = (directory: string) =>
      output(`cd '${directory}' && find . -type f -printf '%P %s\\n' | sort`, 60);
    expect(finds(`${at}/many`)).toBe(finds(source));
    expect(finds(source).trimEnd().split('\n')).toHaveLength(10_000);
    // First uncached, then cached.
    for (const _time of [1, 2]) expect(output(`ls -lR '${at}/many' | grep -c '^-'`, 60).trim()).toBe('10000');
    const sum = (directory: string) =>
      output(`cd '${directory}' && find . -type f | sort | xargs sha256sum | sha256sum`, 60);
    expect(sum(`${at}/many`)).toBe(sum(source));
  });
});
