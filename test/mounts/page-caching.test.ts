// What was slow: every open of a file that this host may write dropped its cached pages, so each program that maps it read it anew.
// Right: the pages stay as long as nobody stores, and no open shows bytes older than the stores before it.
import fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pool } from '../famfs/volume/support.js';
import { FamfsWire, ROOT } from './famfs-wire.js';
import { because, have, noMounts, output, Place } from './support.js';

const DIRECT_IO = 1;
const KEEP_CACHE = 2;

describe('what an open lets the kernel cache', () => {
  let pool: Pool;
  let famfs: FamfsWire;
  let node: bigint;
  beforeEach(() => {
    pool = new Pool();
    pool.mount().create('/f', { size: 5 }).close();
    famfs = new FamfsWire(pool.mount());
    node = famfs.lookup(ROOT, 'f').node;
  });
  afterEach(() => pool.close());

  /** The flags of an open and a close, without those that have nothing to do with caching. */
  function opened(flags = 0): number {
    const { handle, openFlags } = famfs.open(node, flags);
    famfs.close(node, handle);
    return openFlags & (DIRECT_IO | KEEP_CACHE);
  }

  it('where nobody stores: all, and it is kept from the second open on', () => {
    expect([opened(), opened(), opened()]).toEqual([0, KEEP_CACHE, KEEP_CACHE]);
  });

  it('while another user stores: nothing; afterwards the first open drops what is old', () => {
    expect([opened(), opened()]).toEqual([0, KEEP_CACHE]);
    const other = pool.mount();
    const file = other.open('/f', { writable: true });
    file.map({ writable: true })[0] = 65;
    expect([opened(), opened()]).toEqual([DIRECT_IO, DIRECT_IO]);
    other.close();
    expect([opened(), opened()]).toEqual([0, KEEP_CACHE]);
  });

  it('of a store between two opens: the second drops it', () => {
    expect([opened(), opened()]).toEqual([0, KEEP_CACHE]);
    const other = pool.mount();
    other.open('/f', { writable: true }).write(Buffer.from('X'), 0);
    other.close();
    expect([opened(), opened()]).toEqual([0, KEEP_CACHE]);
  });

  it('a write drops the pages of a file that was ever opened cached, also before others stored', () => {
    const reader = famfs.open(node);
    const other = pool.mount();
    other.open('/f', { writable: true });
    expect(opened()).toBe(DIRECT_IO);
    const { handle } = famfs.open(node, 2);
    expect(famfs.write(node, handle, 'X')).toBe(0);
    expect(famfs.droppedPages).toEqual([Number(node)]);
    famfs.close(node, handle);
    famfs.close(node, reader.handle);
    other.close();
  });

  it('readers of other processes change nothing; a file that this mount has opened for writing stays uncached', () => {
    const reader = pool.mount();
    reader.open('/f').map();
    expect([opened(), opened()]).toEqual([0, KEEP_CACHE]);
    expect(opened(2)).toBe(DIRECT_IO);
    expect([opened(), opened()]).toEqual([DIRECT_IO, DIRECT_IO]);
  });
});

describe.skipIf(noMounts !== '' || !have('python3'))(
  `a program that maps a file again and again${because}`,
  () => {
    let place: Place;
    beforeEach(() => {
      place = new Place();
      place.makeVolume('64MiB');
    });
    afterEach(() => place.close());

    it('sees what was stored before it opened the file, whoever stored, mapped or not', () => {
      place.volume().create('/f', { size: 8192 }).close();
      const at = place.mount();
      const script = `${place.directory}/read.py`;
      fs.writeFileSync(
        script,
        `import mmap, sys
f = open('${at}/f', 'rb')
m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
print(m[5000], f.read(5001)[5000])
`,
      );
      const read = () => output(`python3 ${script}`).trim();
      expect([read(), read()]).toEqual(['0 0', '0 0']);
      for (const byte of [1, 2, 3]) {
        const file = `import { mountFamfs, openMachine } from 'udax';
const machine = openMachine(${JSON.stringify(place.root)});
const volume = mountFamfs(machine.device('dax0.0'));
volume.open('/f', { writable: true }).map({ writable: true }).fill(${byte});
volume.close();
machine.close();`;
        output(`cd ${process.cwd()} && node --input-type=module -e '${file.replaceAll("'", '"')}'`, 60);
        expect([read(), read()]).toEqual([`${byte} ${byte}`, `${byte} ${byte}`]);
      }
      output(`printf A | dd of=${at}/f bs=1 seek=5000 conv=notrunc 2>/dev/null`);
      expect(read()).toBe('65 65');
    });

    it('whose descriptor was open before a program wrote through the mount sees that too', () => {
      place.volume().create('/f', { size: 8192 }).close();
      const at = place.mount();
      const fd = fs.openSync(`${at}/f`, 'r');
      const one = Buffer.alloc(1);
      const read = () => fs.readSync(fd, one, 0, 1, 5000) && one[0];
      try {
        expect(read()).toBe(0);
        for (const byte of [7, 8, 9]) {
          const writer = fs.openSync(`${at}/f`, 'r+');
          fs.writeSync(writer, Buffer.from([byte]), 0, 1, 5000);
          fs.closeSync(writer);
          expect(read()).toBe(byte);
        }
      } finally {
        fs.closeSync(fd);
      }
    });
  },
);
