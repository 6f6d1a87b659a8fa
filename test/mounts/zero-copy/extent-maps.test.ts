import { describe, expect, it } from 'vitest';
import type { FuseBackings, NodeId } from '../../../src/fuse/index.js';
import { DaxError } from '../../../src/libc/index.js';
import { ExtentMaps } from '../../../src/mounts/famfs/zero-copy/extent-maps.js';

const node = 7 as NodeId;
const at = (address: number) => [{ offset: 0, length: 4096, address }];

class Recorder implements FuseBackings {
  readonly calls: string[] = [];
  refusal: DaxError | null = null;

  create(): void {}

  map(id: number): void {
    if (this.refusal) throw this.refusal;
    this.calls.push(`map ${id}`);
  }

  remove(id: number): void {
    this.calls.push(`remove ${id}`);
  }

  invalidate(id: NodeId): boolean {
    this.calls.push(`invalidate ${id}`);
    return true;
  }
}

describe('the maps of a mount', () => {
  it('an inode that gets another map is invalidated first: it remembers the pages of the old one (SIGBUS)', () => {
    const kernel = new Recorder();
    const maps = new ExtentMaps(kernel);
    maps.open(node, at(0));
    maps.close(node);
    maps.open(node, at(0));
    maps.close(node);
    expect(kernel.calls).toEqual(['map 7', 'remove 7', 'map 7', 'remove 7']);
    maps.open(node, at(8192));
    expect(kernel.calls.slice(4)).toEqual(['invalidate 7', 'map 7']);
  });

  it('an inode that the kernel has dropped needs no invalidation', () => {
    const kernel = new Recorder();
    const maps = new ExtentMaps(kernel);
    maps.open(node, at(0));
    maps.close(node);
    maps.forget(node);
    maps.open(node, at(8192));
    expect(kernel.calls).toEqual(['map 7', 'remove 7', 'map 7']);
  });

  it('a second map of an open inode is EBUSY: the kernel has one an inode', () => {
    const maps = new ExtentMaps(new Recorder());
    maps.open(node, at(0));
    expect(() => maps.open(node, at(8192))).toThrow(expect.objectContaining({ code: 'EBUSY' }));
  });

  it('a map that the kernel refuses is EIO for the open, and leaves nothing behind', () => {
    const kernel = new Recorder();
    const maps = new ExtentMaps(kernel);
    kernel.refusal = new DaxError('EINVAL', 'no');
    expect(() => maps.open(node, at(0))).toThrow(expect.objectContaining({ code: 'EIO' }));
    kernel.refusal = null;
    maps.open(node, at(0));
    expect(kernel.calls).toEqual(['map 7']);
  });
});
