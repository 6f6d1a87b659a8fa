// Names, sizes and attributes change after they were published, also by others. The kernel may cache them until it is told.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Volume } from '../../src/famfs/index.js';
import { Pool } from '../famfs/volume/support.js';
import { FamfsWire, ROOT } from './famfs-wire.js';
import { because, noMounts, output, Place, until } from './support.js';

const ENOENT = -2;

let pool: Pool;
let other: Volume;
let famfs: FamfsWire;
beforeEach(() => {
  pool = new Pool();
  other = pool.mount();
  famfs = new FamfsWire(pool.mount(), { settleMilliseconds: 0 });
});
afterEach(() => pool.close());

/** What the kernel is told to drop at the next tick. */
function told(): { names: string[]; nodes: number[] } {
  famfs.droppedNames.length = 0;
  famfs.droppedPages.length = 0;
  famfs.fileSystem.message('tick');
  return {
    names: [...famfs.droppedNames],
    nodes: [...new Set(famfs.droppedPages.map(Number))].sort((a, b) => a - b),
  };
}

const make = (name: string, text: string) => {
  const file = other.create(name, { size: text.length });
  file.write(Buffer.from(text), 0);
  file.close();
};

describe('what others change of what is published', () => {
  it('a removed name goes, with the listing and the count of links', () => {
    make('/f', 'text');
    other.link('/f', '/g');
    const { node } = famfs.lookup(ROOT, 'f');
    told();
    other.unlink('/f');
    expect(told()).toEqual({ names: ['f'], nodes: [1, Number(node)] });
    expect([famfs.lookup(ROOT, 'f').node, famfs.lookup(ROOT, 'g').node]).toEqual([0n, node]);
    other.unlink('/g');
    expect(told().names).toEqual(['g']);
  });

  it('a renamed name goes in both places, and what it replaced', () => {
    make('/a', 'a');
    make('/b', 'b');
    other.mkdir('/d');
    const [a, b, d] = ['a', 'b', 'd'].map((name) => Number(famfs.lookup(ROOT, name).node));
    told();
    other.rename('/a', '/b');
    expect(told()).toEqual({ names: ['a', 'b'], nodes: [1, a, b] });
    other.rename('/b', '/d/c');
    expect(told()).toEqual({ names: ['b', 'c'], nodes: [1, a, d].sort((x, y) => x! - y!) });
    expect(famfs.lookup(BigInt(d!), 'c').node).toBe(BigInt(a!));
  });

  it('mode, owner and times are asked for again; so are the bytes of a file that got others', () => {
    make('/f', 'text');
    const { node } = famfs.lookup(ROOT, 'f');
    const { handle } = famfs.open(node);
    expect(famfs.read(node, handle)).toBe('text');
    told();
    other.chmod('/f', 0o600);
    other.utimes('/f', 1000, 2000);
    expect(told()).toEqual({ names: [], nodes: [Number(node)] });
    other.truncate('/f', 2);
    expect(told()).toEqual({ names: [], nodes: [Number(node)] });
    expect([famfs.read(node, handle), famfs.getattr(node).size]).toEqual(['te', 2n]);
  });

  it('a handle for writing goes on with the bytes that the file has now', () => {
    make('/f', 'text');
    const { node } = famfs.lookup(ROOT, 'f');
    const { handle } = famfs.open(node, 2);
    other.truncate('/f', 8);
    told();
    expect(famfs.write(node, handle, 'X', 7)).toBe(0);
    expect(famfs.close(node, handle)).toBe(0);
    other.refresh();
    expect(other.fs.readFileSync('/f', 'latin1')).toBe('text\0\0\0X');
  });

  it('the kernel is not told of what this mount changes itself', () => {
    make('/f', 'text');
    other.mkdir('/d');
    const d = famfs.lookup(ROOT, 'd').node;
    famfs.lookup(ROOT, 'f');
    told();
    expect(famfs.rename(ROOT, 'f', 'g', undefined, d)).toBe(0);
    famfs.make(d, 'n'.repeat(200), 'long');
    expect(famfs.errorOf(10, d, ['text', 'g\0'])).toBe(0);
    expect(told()).toEqual({ names: [], nodes: [] });
    other.refresh();
    expect(other.readdir('/d')).toEqual(['n'.repeat(200)]);
  });

  it('a directory that is removed elsewhere takes nothing more in', () => {
    other.mkdir('/d');
    const d = famfs.lookup(ROOT, 'd').node;
    other.rmdir('/d');
    told();
    expect(famfs.create(d, 'f').error).toBe(ENOENT);
    expect(famfs.lookup(ROOT, 'd').node).toBe(0n);
  });
});

describe.skipIf(noMounts !== '')(`on a mount${because}`, () => {
  it('cached names, sizes and modes that another process changes are old for a moment only', async () => {
    const place = new Place();
    try {
      place.makeVolume();
      const at = place.mount();
      const volume = place.volume();
      volume.mkdir('/d');
      await volume.writeFile('/d/f', Buffer.from('text'));
      output(`cd ${at} && cat d/f && ls d && stat d/f`);
      volume.chmod('/d/f', 0o600);
      volume.truncate('/d/f', 2);
      await until(
        'the new size and mode',
        () => output(`cd ${at} && stat -c '%s %a' d/f && cat d/f`) === '2 600\nte',
      );
      volume.rename('/d/f', '/d/g');
      await until(
        'the new name',
        () => output(`ls ${at}/d`) === 'g\n' && output(`ls ${at}/d/f 2>&1 || true`) !== '',
      );
      volume.rm('/d', { recursive: true });
      await until('nothing', () => output(`ls ${at}`) === '');
    } finally {
      place.close();
    }
  });
});
