import { describe, expect, it } from 'vitest';
import { ResourceTree } from '../../src/mm/index.js';

describe('ResourceTree', () => {
  it('gives a range to the first who asks, and again after its release', () => {
    const tree = new ResourceTree();
    const first = tree.request(0x1000, 0x1fff, 'dax0.0');
    expect(tree.request(0x1800, 0x27ff, 'dax0.1')).toBeNull();
    tree.release(first!);
    expect(tree.request(0x1800, 0x27ff, 'dax0.1')).not.toBeNull();
  });

  it('goes down into resources that are not busy, as long as they hold the whole range', () => {
    const tree = new ResourceTree();
    tree.request(0x10000, 0x1ffff, 'Persistent Memory', { busy: false });
    tree.request(0x10000, 0x10fff, 'namespace0.0');
    expect(tree.request(0x11000, 0x11fff, 'dax0.0')?.parent?.name).toBe('Persistent Memory');
    expect(tree.request(0x1f000, 0x20fff, 'dax1.0')).toBeNull();
    expect(tree.request(0x10800, 0x10fff, 'dax2.0')).toBeNull();
  });

  it('prints as /proc/iomem does', () => {
    const tree = new ResourceTree();
    const range = tree.request(0x150000000, 0x16fffffff, 'dax1.0', { busy: false })!;
    tree.requestChild(range, 0x150000000, 0x16fffffff, 'System RAM (kmem)');
    tree.request(0x1000, 0x1fff, 'foreign');
    expect(tree.lines(({ name }) => name.startsWith('dax'))).toEqual([
      '150000000-16fffffff : dax1.0',
      '  150000000-16fffffff : System RAM (kmem)',
    ]);
    expect(tree.lines()[0]).toBe('00001000-00001fff : foreign');
  });

  it('refuses to release twice', () => {
    const tree = new ResourceTree();
    const range = tree.request(0, 10, 'a')!;
    tree.release(range);
    expect(() => tree.release(range)).toThrow(/released twice/);
  });
});

describe('a resource put around others', () => {
  it('takes them in, and leaves them where they are when it goes', () => {
    const tree = new ResourceTree();
    tree.request(0x2000, 0x2fff, 'dax0.0');
    expect(tree.insert(0x2800, 0x3fff, 'firmware')).toBeNull();
    const around = tree.insert(0x1000, 0x3fff, 'firmware')!;
    expect(tree.lines()).toEqual(['00001000-00003fff : firmware', '  00002000-00002fff : dax0.0']);
    expect(tree.request(0x1000, 0x1fff, 'map')?.parent).toBe(around);
    tree.remove(around);
    expect(tree.lines()).toEqual(['00001000-00001fff : map', '00002000-00002fff : dax0.0']);
  });
});
