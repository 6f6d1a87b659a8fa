import { afterEach, describe, expect, it } from 'vitest';
import { memfdBacking, PhysicalMemory } from '../../src/memory/index.js';
import { MemoryBlocks } from '../../src/mm/index.js';

const MiB = 1024 * 1024;
const START = 4096 * MiB;
const cleanups: (() => void)[] = [];

afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function machine(options: { autoOnline?: 'offline' | 'online_movable' } = {}): MemoryBlocks {
  const memory = new PhysicalMemory();
  const backing = memfdBacking('udax-blocks', 16 * MiB);
  memory.insert({ start: START, length: 16 * MiB, backing, offset: 0 });
  cleanups.push(
    () => backing.close(),
    () => memory.close(),
  );
  const blocks = new MemoryBlocks({ memory, blockBytes: 4 * MiB, ...options });
  blocks.add(START, 16 * MiB, 1, 'dax0.0');
  return blocks;
}

function errorCode(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'ok';
}

describe('memory blocks', () => {
  it('come online by policy, in the zone it says', () => {
    const blocks = machine({ autoOnline: 'online_movable' });
    expect(blocks.list.map(({ id, state, validZones }) => [id, state, validZones])).toEqual(
      [0, 1, 2, 3].map((at) => [1024 + at, 'online', 'Movable']),
    );
  });

  it('stay offline when the policy says so, and go online one by one', () => {
    const blocks = machine({ autoOnline: 'offline' });
    expect(blocks.block(1025)?.validZones).toBe('Normal Movable');
    blocks.setState(1025, 'online');
    expect(blocks.block(1025)?.validZones).toBe('Normal');
    expect(blocks.node(1)?.stats()).toMatchObject({ onlineBytes: 4 * MiB, freeBytes: 4 * MiB });
    expect(errorCode(() => blocks.setState(1025, 'online'))).toBe('EINVAL');
    expect(errorCode(() => blocks.setState(7, 'online'))).toBe('ENOENT');
  });

  it('go to zone Movable by plain `online` between blocks that are in it', () => {
    const blocks = machine({ autoOnline: 'offline' });
    blocks.setState(1024, 'online_movable');
    blocks.setState(1026, 'online_movable');
    expect([1025, 1027].map((id) => blocks.block(id)?.validZones)).toEqual([
      'Movable Normal',
      'Normal Movable',
    ]);
    blocks.setState(1025, 'online');
    blocks.setState(1027, 'online');
    expect([1025, 1027].map((id) => blocks.block(id)?.zone)).toEqual(['Movable', 'Normal']);
    for (const id of [1024, 1025, 1026]) blocks.setState(id, 'offline');
    expect(blocks.block(1025)?.validZones).toBe('Normal Movable');
  });

  it('are known by what differs from their neighbours: thousands cost what two do', () => {
    const blocks = new MemoryBlocks();
    const length = 2 ** 40;
    const start = performance.now();
    for (let round = 0; round < 200; round++) {
      blocks.add(length, length, 1, 'dax0.0');
      blocks.offlineAll(length, length);
      blocks.remove(length, length);
    }
    expect((performance.now() - start) / 200).toBeLessThan(1);
    blocks.add(length, length, 1, 'dax0.0');
    blocks.setState(8192 + 77, 'offline');
    expect(blocks.list.filter(({ state }) => state === 'offline').map(({ id }) => id)).toEqual([8269]);
    expect(blocks.firstOnline(length, length)?.id).toBe(8192);
    blocks.setState(8192 + 77, 'online');
    expect(blocks.node(1)?.stats()).toMatchObject({ onlineBytes: length });
  });

  it('are removed as they were added, not in part', () => {
    const blocks = machine({ autoOnline: 'offline' });
    expect(errorCode(() => blocks.remove(START, 4 * MiB))).toBe('EINVAL');
    expect(errorCode(() => blocks.add(START + 12 * MiB, 8 * MiB, 1, 'dax0.1'))).toBe('EEXIST');
    expect(blocks.list).toHaveLength(4);
  });

  it('cannot be removed while one is online', () => {
    const blocks = machine();
    expect(errorCode(() => blocks.remove(START, 16 * MiB))).toBe('EBUSY');
    for (const { id } of blocks.list) blocks.setState(id, 'offline');
    blocks.remove(START, 16 * MiB);
    expect(blocks.list).toEqual([]);
    expect(blocks.node(1)).toBeUndefined();
  });
});

describe('a node', () => {
  it('hands out zeroed memory and takes it back', () => {
    const node = machine().node(1)!;
    const first = node.alloc(10_000);
    first.buffer.fill(7);
    expect([first.buffer.length, first.length]).toEqual([10_000, 12_288]);
    expect(node.stats()).toMatchObject({ usedBytes: 12_288, allocations: 1 });
    first.free();
    first.free();
    expect(first.buffer.length).toBe(0);
    const again = node.alloc(10_000);
    expect(again.hpa).toBe(first.hpa);
    expect(again.buffer.every((byte) => byte === 0)).toBe(true);
    again.free();
    expect(node.stats()).toMatchObject({ usedBytes: 0, freeBytes: 16 * MiB, allocations: 0 });
  });

  it('takes the first run that fits, and stitches runs when none does alone', () => {
    const node = machine().node(1)!;
    const pieces = Array.from({ length: 4 }, () => node.alloc(4 * MiB));
    pieces[0]!.free();
    pieces[2]!.free();
    const small = node.alloc(4096);
    expect(small.hpa).toBe(START);
    small.free();
    const stitched = node.alloc(8 * MiB);
    stitched.buffer.fill(3);
    expect(stitched.buffer[8 * MiB - 1]).toBe(3);
    expect(pieces[1]!.buffer[0]).toBe(0);
    expect(errorCode(() => node.alloc(1))).toBe('ENOMEM');
    stitched.free();
    pieces[1]!.free();
    pieces[3]!.free();
  });

  it('keeps a block online while pages of it are in use', () => {
    const blocks = machine();
    const used = blocks.node(1)!.alloc(4096);
    expect(errorCode(() => blocks.setState(1024, 'offline'))).toBe('EBUSY');
    blocks.setState(1025, 'offline');
    used.free();
    blocks.setState(1024, 'offline');
  });

  it('refuses sizes that are none', () => {
    const node = machine().node(1)!;
    for (const bytes of [0, -1, 1.5, Number.NaN]) expect(errorCode(() => node.alloc(bytes))).toBe('EINVAL');
  });

  it('loses its allocations with the memory below, at length 0', () => {
    const blocks = machine();
    const node = blocks.node(1)!;
    const lost = node.alloc(4096);
    node.memory!.kill(START, 16 * MiB);
    expect(lost.buffer.length).toBe(0);
    expect(node.stats()).toMatchObject({ usedBytes: 0, allocations: 0 });
  });
});
