// A plain mount shows and keeps what the log says: sizes of published files are final there, also under an open handle.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Pool } from '../famfs/volume/support.js';
import { FamfsWire, ROOT } from './famfs-wire.js';

const [EFBIG, EINVAL] = [-27, -22];

let pool: Pool;
beforeEach(() => {
  pool = new Pool();
});
afterEach(() => pool.close());

describe('a handle of a plain mount', () => {
  it('on a plain mount, of a file that was published under it, writes within the size, and is EFBIG behind it', () => {
    const famfs = new FamfsWire(pool.mount({ plain: true }), { settleMilliseconds: 0, plain: true });
    const { node, handle } = famfs.create(ROOT, 'f');
    famfs.write(node, handle, 'abc');
    expect(famfs.flush(node, handle)).toBe(0); // the last descriptor, as far as /proc tells: one may be on its way through a socket
    expect(pool.mount({ plain: true }).stat('/f').size).toBe(3);
    expect(famfs.write(node, handle, 'x', 3)).toBe(EFBIG);
    expect(famfs.write(node, handle, 'X', 2)).toBe(0);
    expect([famfs.flush(node, handle), famfs.release(node, handle)]).toEqual([0, 0]);
    expect(pool.mount({ plain: true }).open('/f').read(new Uint8Array(3), 0)).toBe(3);
    expect(famfs.errorOf(25, node, ['u64', handle], ['u64', 0n], ['u64', 0n])).toBe(-9);
  });

  it('that is closed on an empty file is told EINVAL, and the file is not kept', () => {
    const famfs = new FamfsWire(pool.mount({ plain: true }), { settleMilliseconds: 0, plain: true });
    const { node, handle } = famfs.create(ROOT, 'empty');
    expect(famfs.close(node, handle)).toBe(EINVAL);
    expect([famfs.droppedNames, famfs.lookup(ROOT, 'empty').node]).toEqual([['empty'], 0n]);
    expect(famfs.make(ROOT, 'empty', 'not any more').error).toBe(0);
  });
});

describe('a plain mount of a volume with an annex', () => {
  it('shows the names of the log', () => {
    const volume = pool.mount();
    for (const name of ['/a', '/b']) volume.create(name, { size: 1 }).close();
    volume.rename('/a', '/c');
    volume.unlink('/b');
    volume.symlink('c', '/s');
    volume.close();
    const famfs = new FamfsWire(pool.mount({ plain: true }), { plain: true });
    expect(['a', 'b', 'c', 's'].map((name) => famfs.lookup(ROOT, name).node)).toEqual([2n, 3n, 0n, 0n]);
  });
});
