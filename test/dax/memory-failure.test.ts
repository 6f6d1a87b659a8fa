import { describe, expect, it } from 'vitest';
import {
  bareBus,
  dynamicRegion,
  MiB,
  outcome,
  realBus,
  START,
  staticRegion,
  twoRangeFsdev,
} from './support.js';

const told: [number, number, number][] = [];
const ops = { notifyFailure: (...args: [number, number, number]) => void told.push(args) };

describe('hard_offline_page', () => {
  it('of device_dax succeeds for who has the page mapped, and names the unit lost', () => {
    const bus = bareBus();
    staticRegion(bus);
    expect(outcome(() => bus.hardOffline(START + 4096))).toBe('EBUSY');
    const vma = bus.open('dax0.0').mmap({ offset: 0, length: 4 * MiB, prot: 'rw', type: 'shared' });
    vma.load(0);
    expect(bus.hardOffline(START + 4096).mappers).toEqual([{ vma, offset: 0, lsb: 21 }]);
    expect(vma.madvise(4096, 4096, 'hwpoison')).toEqual([{ vma, offset: 0, lsb: 21 }]);
    expect(vma.load(4096).ok).toBe(true);
    expect(outcome(() => bus.hardOffline(START + 2 * MiB))).toBe('EBUSY');
    expect(outcome(() => bus.softOffline(START))).toBe('EIO');
    expect(outcome(() => vma.madvise(0, 4096, 'soft_offline'))).toBe('EIO');
  });

  it('of fsdev_dax needs a holder, who is told the device offset', () => {
    const bus = bareBus({ modules: ['fsdev_dax'] });
    const device = twoRangeFsdev(bus);
    expect(outcome(() => bus.hardOffline(START + 4096))).toBe('EBUSY');
    told.length = 0;
    device.dax.holderGet({}, ops);
    expect(bus.hardOffline(START + 4096)).toMatchObject({ device: 'dax0.1', notified: true });
    expect(told).toEqual([[4 * MiB + 4096, 4096, 0]]);
    expect(outcome(() => device.dax.directAccess(1025, 1))).toBe('EHWPOISON');
  });

  it('of an unbound device is ignored', () => {
    const bus = bareBus({ modules: [] });
    staticRegion(bus);
    expect(outcome(() => bus.hardOffline(START))).toBe('EBUSY');
    expect(outcome(() => bus.softOffline(START))).toBe('ENXIO');
  });
});

describe('injected memory failure', () => {
  it('poisons whole pages, tells the holder of each range, and detaches the mappings over them', () => {
    const bus = realBus(64 * MiB, { modules: ['fsdev_dax'] });
    const device = twoRangeFsdev(bus);
    told.length = 0;
    device.dax.holderGet({}, ops);
    const hit = bus.memory!.map([{ start: START + 4 * MiB, length: 4096 }], { access: 'shared' });
    const other = bus.memory!.map([{ start: START + 6 * MiB, length: 4096 }], { access: 'shared' });
    bus.memoryFailure(START + 4 * MiB - 1, 2);
    expect(told).toEqual([
      [0, 4096, 0],
      [8 * MiB - 4096, 4096, 0],
    ]);
    expect([hit.buffer.byteLength, other.buffer.byteLength]).toEqual([0, 4096]);
    expect(bus.pages.poisonedRanges()).toEqual([{ pfn: START / 4096 + 1023, pages: 2 }]);
    other.close();
  });

  it('is no failure of the injection when the holder does not cope', () => {
    const bus = bareBus({ modules: ['fsdev_dax'] });
    const device = twoRangeFsdev(bus);
    device.dax.holderGet(
      {},
      {
        notifyFailure: () => {
          throw new Error('no');
        },
      },
    );
    expect(bus.memoryFailure(START, 1)).toMatchObject({ device: 'dax0.1', notified: false });
    expect(bus.pages.isPoisoned(START / 4096)).toBe(true);
    bus.unbind('fsdev_dax', 'dax0.1');
    expect(device.dax.alive).toBe(false);
  });

  it('in devdax mode takes the raw mapping away', () => {
    const bus = realBus(16 * MiB);
    dynamicRegion(bus, 16 * MiB);
    const mapping = bus.open('dax0.0').map({ offset: 0, length: 4 * MiB, writable: true });
    bus.memoryFailure(START + 100, 1);
    expect([mapping.alive, bus.pages.refcount(START / 4096)]).toEqual([false, 0]);
  });

  it('in system-ram mode the page is never handed out again', () => {
    const bus = realBus(16 * MiB, { memoryBlockBytes: 4 * MiB });
    bus.addRegion({ type: 'kmem', start: START, size: 16 * MiB, align: 2 * MiB, targetNode: 1 });
    const lost = bus.node(1)!.alloc(4096);
    bus.memoryFailure(lost.hpa, 1);
    expect(lost.buffer.length).toBe(0);
    expect(bus.node(1)!.alloc(4096).hpa).toBe(START + 4096);
    expect(bus.node(1)!.stats().freeBytes).toBe(16 * MiB - 8192);
  });
});
