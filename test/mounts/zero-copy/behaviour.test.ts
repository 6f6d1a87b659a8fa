import { afterEach, describe, expect, it } from 'vitest';
import type { Volume } from '../../../src/famfs/index.js';
import { mapOf } from '../../../src/mounts/famfs/zero-copy/extent-maps.js';
import type { MapKernel } from './kernel.js';
import { MIB, type ServeOptions, ZeroCopyPlace } from './place.js';
import { initOfMaps } from './requests.js';

/** Linux 7.4 maps files of a FUSE mount to dax devices. These are the rules of that kernel (see kernel.ts), and no warning of it may appear. */
let place: ZeroCopyPlace | undefined;
let kernel: MapKernel;
afterEach(() => {
  const warnings = kernel?.warnings ?? [];
  place?.remove();
  place = undefined;
  expect(warnings).toEqual([]);
});

function serve(
  make: (volume: Volume) => void = () => {},
  options: ServeOptions = {},
  bytes = 64 * MIB,
): void {
  place = new ZeroCopyPlace(bytes, make);
  kernel = place.serve(options);
}

const text = (content: string) => ({
  size: content.length,
  fill: (into: Uint8Array, position: number) => {
    into.set(Buffer.from(content).subarray(position, position + into.length));
  },
});

describe('a published file', () => {
  it('is mapped by its extents at its first open, and the map is removed at the RELEASE of the last one', () => {
    serve((volume) => volume.create('/a', text('hello')));
    const node = kernel.lookup(1, 'a');
    expect(kernel.isDax(node)).toBe(true);
    kernel.messages.length = 0;
    const first = kernel.open(node);
    const second = kernel.open(node);
    expect(kernel.messages).toEqual([`map ${node} 0+${2 * MIB}@${10 * MIB}`]);
    expect(kernel.read(second, 5)).toBe('hello');
    kernel.touch(first);
    kernel.close(first);
    expect(kernel.messages).toHaveLength(1);
    kernel.close(second);
    expect(kernel.messages.slice(1)).toEqual([`remove ${node}`]);
    kernel.close(kernel.open(node));
    expect(kernel.messages.slice(2)).toEqual([`map ${node} 0+${2 * MIB}@${10 * MIB}`, `remove ${node}`]);
  });

  it('is listed as what it is, so that opening it after a listing works', () => {
    serve((volume) => volume.create('/a', text('hello')));
    const nodes = kernel.list(1);
    expect(Object.keys(nodes)).toEqual(['.', '..', 'a']);
    expect(kernel.isDax(nodes.a!)).toBe(true);
    expect(kernel.read(kernel.open(nodes.a!), 5)).toBe('hello');
  });

  it('that is striped is unrolled into simple extents, in file order', () => {
    serve((volume) =>
      volume.create('/s', { size: 8 * MIB, stripe: { nstrips: 2, chunkSize: 2 * MIB, nbuckets: 2 } }),
    );
    kernel.messages.length = 0;
    kernel.open(kernel.lookup(1, 's'));
    const [map] = kernel.messages;
    const extents = map!
      .split(' ')
      .slice(2)
      .map((one) => one.split('@'));
    expect(extents.map(([range]) => range)).toEqual([0, 2, 4, 6].map((at) => `${at * MIB}+${2 * MIB}`));
    const [a, b, c, d] = extents.map(([, address]) => Number(address));
    expect([c! - a!, d! - b!]).toEqual([2 * MIB, 2 * MIB]);
  });

  it('with more pieces than a message holds has no map', () => {
    const unit = 2 * MIB;
    const striped = (chunks: number) => {
      const strip = (index: number) => ({
        devindex: 0,
        offset: 10 * MIB + index * 4096 * MIB,
        length: 2048 * MIB,
      });
      const fmap = {
        type: 'interleaved',
        nstrips: 2,
        chunkSize: unit,
        extents: [strip(0), strip(1)],
      } as const;
      return mapOf({ ...fmap, extents: [...fmap.extents] }, chunks * unit, {
        dataStart: 10 * MIB,
        size: 2 ** 40,
      });
    };
    expect(striped(1365)).toMatchObject({ extents: { length: 1365 } });
    expect(striped(1366)).toEqual({ why: 'it has more than 1365 pieces, and one map holds no more' });
  });

  it.each([
    ['past the end of the device', { offset: 62 * MIB, length: 4 * MIB }, 'past the device'],
    ['over the log', { offset: 8 * MIB, length: 4 * MIB }, 'over the superblock or log'],
    ['off by a sector', { offset: 20 * MIB + 512, length: 4 * MIB }, 'no multiple of 4096'],
    ['too short', { offset: 20 * MIB, length: 2 * MIB }, 'end at byte 2097152 of'],
  ])(
    'whose extent is %s has no map: the kernel would take it, and fail the accesses',
    (_what, extent, why) => {
      const fmap = { type: 'simple' as const, extents: [{ devindex: 0, ...extent }] };
      const map = mapOf(fmap, 4 * MIB, { dataStart: 10 * MIB, size: 64 * MIB });
      expect(map).toEqual({ why: expect.stringContaining(why) });
    },
  );
});

describe('memory that two files share', () => {
  it('is mapped for none of them: a page belongs to one inode', () => {
    serve((volume) => {
      volume.create('/a', text('both'));
      volume.clone('/a', '/b', { force: true });
      volume.create('/c', text('alone'));
    });
    const [a, b, c] = ['a', 'b', 'c'].map((name) => kernel.lookup(1, name));
    expect([a, b, c].map((node) => kernel.isDax(node!))).toEqual([false, false, true]);
    expect(kernel.read(kernel.open(b!), 4)).toBe('both');
    const writer = kernel.open(a!, 2);
    expect(kernel.write(writer, 'BO')).toBe(0);
    expect(kernel.read(kernel.open(b!), 4)).toBe('BOth');
    expect(kernel.reports[0]).toContain('it shares memory with another file');
  });
});

describe('a clone that appears later', () => {
  it('is served through the daemon, and the file that has the pages keeps them until the kernel drops it', () => {
    serve((volume) => volume.create('/a', text('first')), { role: 'client' });
    const a = kernel.lookup(1, 'a');
    const open = kernel.open(a);
    kernel.touch(open);
    place!.aside((volume) => volume.clone('/a', '/b', { force: true }));
    const b = kernel.lookup(1, 'b');
    expect([kernel.isDax(a), kernel.isDax(b)]).toEqual([true, false]);
    expect(kernel.read(kernel.open(b), 5)).toBe('first');
    const again = kernel.open(kernel.lookup(1, 'a'));
    expect(again.map).not.toBeNull();
    kernel.touch(again);
    kernel.close(open);
    kernel.close(again);
    kernel.evict(a);
    expect(kernel.isDax(kernel.lookup(1, 'a'))).toBe(false);
    expect(kernel.read(kernel.open(a), 5)).toBe('first');
  });
});

describe('a file in the making', () => {
  it('is written through a window; once that is forgotten, a lookup gives a mapped inode', () => {
    serve();
    const made = kernel.create(1, 'new');
    expect(made.map).toBeNull();
    expect(kernel.write(made, 'fresh bytes')).toBe(0);
    kernel.close(made);
    // Published, and still known by its first node: the window remembers its pages.
    const first = kernel.lookup(1, 'new');
    expect(first).toBe(made.inode.node);
    const early = kernel.open(first);
    expect(kernel.read(early, 11)).toBe('fresh bytes');
    kernel.work();
    const node = kernel.lookup(1, 'new');
    expect(node).not.toBe(first);
    expect(kernel.isDax(node)).toBe(true);
    const mapped = kernel.open(node);
    kernel.touch(mapped);
    expect(kernel.read(mapped, 11)).toBe('fresh bytes');
    // The handle that was opened before reads and writes the same memory.
    kernel.write(kernel.open(node, 2), 'FRESH');
    expect(kernel.read(early, 11)).toBe('FRESH bytes');
    expect(place!.end()).toEqual([]);
  });

  it('does not wait for one that is written for hours, unless both were begun at once', () => {
    serve();
    const slow = kernel.create(1, 'slow');
    kernel.write(slow, 'slow');
    const done = kernel.create(1, 'done');
    kernel.write(done, 'done');
    kernel.close(done);
    kernel.work();
    const later = kernel.create(1, 'later');
    kernel.write(later, 'later');
    kernel.close(later);
    kernel.work();
    expect(kernel.isDax(kernel.lookup(1, 'later'))).toBe(true);
    expect(kernel.isDax(kernel.lookup(1, 'done'))).toBe(false);
    kernel.touch(kernel.open(kernel.lookup(1, 'later')));
    kernel.write(slow, 'still', 4);
    kernel.close(slow);
    kernel.work();
    for (const name of ['done', 'slow']) {
      const node = kernel.lookup(1, name);
      expect(kernel.isDax(node)).toBe(true);
      kernel.touch(kernel.open(node));
    }
    expect(kernel.read(kernel.open(kernel.lookup(1, 'slow')), 9)).toBe('slowstill');
  });

  it('that was given up leaves space that nobody gets before the kernel has forgotten its pages', () => {
    serve();
    for (let round = 0; round < 6; round++) {
      const file = kernel.create(1, 'gone');
      kernel.write(file, `round ${round}`);
      expect(kernel.unlink(1, 'gone')).toBe(0);
      kernel.close(file);
      const kept = kernel.create(1, `kept${round}`);
      kernel.write(kept, `kept ${round}`);
      kernel.close(kept);
      if (round % 2 === 0) kernel.work();
    }
    kernel.work();
    for (let round = 0; round < 6; round++) {
      const file = kernel.open(kernel.lookup(1, `kept${round}`));
      expect(file.map).not.toBeNull();
      kernel.touch(file);
      expect(kernel.read(file, 6)).toBe(`kept ${round}`);
    }
    expect(place!.end()).toEqual([]);
  });

  it('of many is each mapped in the end, and nothing stays behind: no map, no window but one', () => {
    serve();
    for (let index = 0; index < 12; index++) {
      const file = kernel.create(1, `f${index}`);
      kernel.write(file, `file ${index}`);
      kernel.close(file);
      if (index % 3 === 2) kernel.work();
    }
    kernel.work();
    for (let index = 0; index < 12; index++) {
      const file = kernel.open(kernel.lookup(1, `f${index}`));
      kernel.touch(file);
      expect(kernel.read(file, 6)).toBe(`file ${index}`.slice(0, 6));
      kernel.close(file);
    }
    // .device, .superblock, .log and the window that takes the next file
    expect(kernel.mapCount).toBe(4);
  });
});

describe('the hidden files', () => {
  it("superblock and log are there for root, in no listing; the server's own are there for nobody else", () => {
    serve();
    const meta = kernel.lookup(1, '.meta');
    const log = kernel.open(kernel.lookup(meta, '.log'));
    expect(log.inode.size).toBe(8 * MIB);
    expect(kernel.mode(meta) & 0o777).toBe(0o700);
    expect(kernel.mode(log.inode.node) & 0o777).toBe(0o600);
    expect(kernel.lookup(meta, '.device')).toBe(-2);
    expect(kernel.lookup(meta, '.window.1')).toBe(-2);
    expect(Object.keys(kernel.list(1))).toEqual(['.', '..']);
    expect(() => kernel.create(meta, 'x')).toThrow(expect.objectContaining({ code: 'EPERM' }));
    expect(() => kernel.create(1, '.meta')).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  });

  it('.device is not opened again by anybody, not even through the node', () => {
    serve();
    expect(() => kernel.open(kernel.ownNode('.device'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
  });
});

describe('a client', () => {
  it('sees what its master publishes meanwhile, mapped', () => {
    serve((volume) => volume.create('/old', text('old')), { role: 'client' });
    expect(kernel.lookup(1, 'new')).toBe(-2);
    place!.publishAside('new', 'from the master');
    const file = kernel.open(kernel.lookup(1, 'new'));
    expect(file.map).not.toBeNull();
    expect(kernel.read(file, 15)).toBe('from the master');
    expect(() => kernel.open(file.inode.node, 1)).toThrow(expect.objectContaining({ code: 'EROFS' }));
    expect(() => kernel.create(1, 'mine')).toThrow(expect.objectContaining({ code: 'EROFS' }));
  });
});

describe('what the kernel refuses', () => {
  it('a device that another mount has is EBUSY, and says what to do', () => {
    serve();
    const second = place!.serve();
    expect(second.refusal).toMatchObject({ code: 'EBUSY' });
    expect(String(second.refusal)).toContain('held by another mount');
  });

  it('a kernel without maps is EOPNOTSUPP', () => {
    place = new ZeroCopyPlace();
    const old = Uint8Array.from(initOfMaps);
    old[57]! &= ~0x20; // flags2 without bit 13
    kernel = place.serve({ init: old });
    expect(kernel.refusal).toMatchObject({ code: 'EOPNOTSUPP' });
  });
});
