import { describe, expect, it } from 'vitest';
import { type Bus, checkInvariants } from '../../src/dax/index.js';
import { bareBus, MiB, outcome, realBus, START } from './support.js';

const small = { memoryBlockBytes: 4 * MiB };

function kmemRegion(bus: Bus, options: { start?: number; size?: number; targetNode?: number } = {}) {
  return bus.addRegion({
    type: 'kmem',
    start: options.start ?? START,
    size: options.size ?? 16 * MiB,
    align: 2 * MiB,
    targetNode: options.targetNode ?? 3,
  });
}

describe('kmem', () => {
  it('turns the device into blocks of its node', () => {
    const bus = realBus(16 * MiB, small);
    kmemRegion(bus);
    expect(bus.node(3)?.stats()).toMatchObject({ onlineBytes: 16 * MiB });
    const buffer = bus.node(3)!.alloc(MiB);
    expect(buffer.buffer.length).toBe(MiB);
    expect(bus.resources.lines()).toEqual([
      '1000000000-1000ffffff : dax0.0',
      '  1000000000-1000ffffff : System RAM (kmem)',
    ]);
    buffer.free();
  });

  it('trims to whole blocks, and refuses what holds none or has no node', () => {
    const bus = bareBus(small);
    kmemRegion(bus, { start: START + 2 * MiB, size: 12 * MiB });
    expect(bus.memoryBlocks.list.map(({ start }) => start - START)).toEqual([4 * MiB, 8 * MiB]);
    kmemRegion(bus, { start: START + 32 * MiB + 2 * MiB, size: 4 * MiB });
    expect(outcome(() => bus.bind('kmem', 'dax1.0'))).toBe('EINVAL');
    kmemRegion(bus, { start: START + 64 * MiB, targetNode: -1 });
    expect(outcome(() => bus.bind('kmem', 'dax2.0'))).toBe('EINVAL');
    expect(bus.takeLog()).toContain('<4>kmem dax2.0: rejecting DAX region with invalid node: -1');
    expect(checkInvariants(bus)).toEqual([]);
  });

  it('unbound with all blocks offline gives the memory back to any driver', () => {
    const bus = bareBus({ ...small, autoOnline: 'offline' });
    kmemRegion(bus);
    bus.unbind('kmem', 'dax0.0');
    expect([bus.memoryBlocks.list, bus.resources.lines()]).toEqual([[], []]);
    bus.newId('fsdev_dax', 'dax0.0');
    bus.probe('dax0.0');
    expect(checkInvariants(bus)).toEqual([]);
  });

  it('unbound with a block online strands the range: it stays in use, and every probe is EBUSY', () => {
    const bus = realBus(16 * MiB, small);
    kmemRegion(bus);
    const kept = bus.node(3)!.alloc(4096);
    bus.unbind('kmem', 'dax0.0');
    expect(bus.device('dax0.0')?.driver).toBeNull();
    expect(kept.buffer.length).toBe(4096);
    bus.newId('fsdev_dax', 'dax0.0');
    for (const driver of ['kmem', 'fsdev_dax'])
      expect(outcome(() => bus.bind(driver, 'dax0.0'))).toBe('EBUSY');
    kept.free();
    for (const { id } of bus.memoryBlocks.list) bus.memoryBlocks.setState(id, 'offline');
    expect(outcome(() => bus.bind('kmem', 'dax0.0'))).toBe('EBUSY');
    expect(checkInvariants(bus)).toEqual([]);
    bus.forgetStranded(bus.stranded[0]!);
    bus.bind('kmem', 'dax0.0');
  });

  it('size and align are EBUSY while it is bound', () => {
    const bus = bareBus(small);
    kmemRegion(bus);
    const device = bus.device('dax0.0')!;
    expect(outcome(() => device.resize(4 * MiB))).toBe('EBUSY');
    expect(outcome(() => device.setAlign(4096))).toBe('EBUSY');
    expect(outcome(() => device.setMemmapOnMemory(true))).toBe('EOPNOTSUPP');
  });

  it('memmap_on_memory cannot change under it', () => {
    const bus = bareBus({ ...small, memmapOnMemory: true });
    kmemRegion(bus);
    const device = bus.device('dax0.0')!;
    expect(outcome(() => device.setMemmapOnMemory(true))).toBe('EBUSY');
    device.setMemmapOnMemory(false);
    for (const { id } of bus.memoryBlocks.list) bus.memoryBlocks.setState(id, 'offline');
    bus.unbind('kmem', 'dax0.0');
    device.setMemmapOnMemory(true);
    expect(device.memmapOnMemory).toBe(true);
  });
});
