import { describe, expect, it } from 'vitest';
import { checkInvariants, DaxDevice, holdWhile, MF_MEM_PRE_REMOVE } from '../../src/dax/index.js';
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

function famfs() {
  const bus = bareBus({ modules: ['fsdev_dax'] });
  staticRegion(bus);
  bus.newId('fsdev_dax', 'dax0.0');
  return { bus, dax: bus.device('dax0.0')!.dax };
}

function holder() {
  const told: [number, number, number][] = [];
  return { told, ops: { notifyFailure: (...args: [number, number, number]) => void told.push(args) } };
}

describe('holding a device', () => {
  it('is for one at a time, only in famfs mode', () => {
    const bus = bareBus();
    staticRegion(bus);
    const { dax } = bus.device('dax0.0')!;
    const { ops } = holder();
    expect(outcome(() => dax.holderGet({}, ops))).toBe('EOPNOTSUPP');
    bus.unbind('device_dax', 'dax0.0');
    expect(outcome(() => dax.holderGet({}, ops))).toBe('ENODEV');
    bus.newId('fsdev_dax', 'dax0.0');
    expect(bus.device('dax0.0')?.driver).toBe('fsdev_dax');
    const first = {};
    dax.holderGet(first, ops);
    expect(outcome(() => dax.holderGet({}, ops))).toBe('EBUSY');
    dax.holderPut(first);
    dax.holderGet({}, ops);
    expect(checkInvariants(bus)).toEqual([]);
  });

  it('a put by somebody else changes nothing', () => {
    const { dax } = famfs();
    const mine = {};
    dax.holderGet(mine, holder().ops);
    dax.holderPut({});
    expect(dax.holder).toBe(mine);
  });

  it('a mount that cannot get the device does not put it', () => {
    const { bus, dax } = famfs();
    const mine = {};
    dax.holderGet(mine, holder().ops);
    expect(outcome(() => holdWhile(dax, {}, holder().ops, () => 1))).toBe('EBUSY');
    expect([dax.references, checkInvariants(bus)]).toEqual([1, []]);
  });

  it('the holder is told before the device goes, and cleared', () => {
    const { bus, dax } = famfs();
    const { told, ops } = holder();
    dax.holderGet({}, ops);
    bus.unbind('fsdev_dax', 'dax0.0');
    expect(told).toEqual([[0, Number.POSITIVE_INFINITY, MF_MEM_PRE_REMOVE]]);
    expect([dax.alive, dax.holder, outcome(() => dax.directAccess(0, 1))]).toEqual([false, null, 'ENXIO']);
  });

  it('failures of pages are told where they are, by whoever holds it', () => {
    const { dax } = famfs();
    expect(outcome(() => dax.notifyFailure(0, 4096, 0))).toBe('EOPNOTSUPP');
    const { told, ops } = holder();
    dax.holderGet({}, ops);
    dax.notifyFailure(8192, 4096, 0);
    expect(told).toEqual([[8192, 4096, 0]]);
  });
});

describe('kill', () => {
  it('waits for readers: from within a call it is refused, and nothing is undone', () => {
    const { bus, dax } = famfs();
    const unlock = dax.readLock();
    expect(outcome(() => bus.unbind('fsdev_dax', 'dax0.0'))).toBe('EDEADLK');
    expect(outcome(() => bus.removeRegion(0))).toBe('EDEADLK');
    expect(outcome(() => bus.rmmod('fsdev_dax'))).toBe('EDEADLK');
    expect([dax.alive, bus.device('dax0.0')?.driver]).toEqual([true, 'fsdev_dax']);
    unlock();
    unlock();
    bus.unbind('fsdev_dax', 'dax0.0');
  });

  it('begun, lets nobody in any more while the last reader leaves', () => {
    const { bus, dax } = famfs();
    dax.holderGet({}, holder().ops);
    const finish = dax.beginNotifyFailure(0, 4096, 0);
    dax.beginKill();
    expect(outcome(() => dax.directAccess(0, 1))).toBe('ENXIO');
    expect(checkInvariants(bus)).toEqual([]);
    finish();
    bus.unbind('fsdev_dax', 'dax0.0');
    expect(checkInvariants(bus)).toEqual([]);
  });
});

describe('operations', () => {
  it('are set once', () => {
    const { bus } = famfs();
    const dax = new DaxDevice('dax9.9', '251:99', bus.platform, { driver: null });
    const ops = { size: 0, directAccess: () => null, zeroPageRange: () => undefined };
    dax.setOps(ops);
    expect(outcome(() => dax.setOps(ops))).toBe('EBUSY');
    dax.setOps(null);
    dax.setOps(ops);
  });

  it('are not there in devdax mode', () => {
    const bus = bareBus();
    staticRegion(bus);
    const { dax } = bus.device('dax0.0')!;
    expect([outcome(() => dax.directAccess(0, 1)), dax.size]).toEqual(['EOPNOTSUPP', 0]);
    expect(outcome(() => dax.zeroPageRange(0, 1))).toBe('EOPNOTSUPP');
  });
});

describe('translation', () => {
  it('stays in one range and inside the end', () => {
    const bus = bareBus({ modules: ['fsdev_dax'] });
    const device = twoRangeFsdev(bus);
    const base = START / 4096;
    expect(device.dax.size).toBe(8 * MiB);
    expect(device.dax.directAccess(0, 9999)).toEqual({ pfn: base + 1024, pages: 1024, hpa: START + 4 * MiB });
    expect(device.dax.directAccess(1023, 2)).toMatchObject({ pfn: base + 2047, pages: 1 });
    expect(device.dax.directAccess(1024, 2)).toEqual({ pfn: base, pages: 2, hpa: START });
    expect(outcome(() => device.dax.directAccess(2048, 1))).toBe('ERANGE');
    expect(outcome(() => device.dax.directAccess(-1, 1))).toBe('EINVAL');
    expect(outcome(() => device.dax.directAccess(0, -1))).toBe('EINVAL');
    expect(checkInvariants(bus)).toEqual([]);
  });

  it('does not see a range that was added while bound', () => {
    const bus = bareBus({ modules: ['fsdev_dax'] });
    const device = twoRangeFsdev(bus);
    device.addMapping(START + 32 * MiB, START + 34 * MiB - 1);
    expect([device.size, device.dax.size]).toEqual([10 * MiB, 8 * MiB]);
    expect(outcome(() => device.dax.directAccess(2048, 1))).toBe('ERANGE');
  });

  it('stops before poison, goes over it in recovery mode', () => {
    const { bus, dax } = famfs();
    bus.pages.poison(START / 4096 + 10, 1);
    expect(dax.directAccess(5, 100).pages).toBe(5);
    expect(outcome(() => dax.directAccess(10, 1))).toBe('EHWPOISON');
    expect(dax.directAccess(5, 100, 'recovery').pages).toBe(100);
  });
});

describe('zero and recovery writes', () => {
  function realFamfs() {
    const bus = realBus(16 * MiB, { modules: ['fsdev_dax'] });
    const device = (() => {
      const region = dynamicRegion(bus, 16 * MiB, { idle: true });
      const made = region.devices[0]!;
      made.addMapping(START + 8 * MiB, START + 10 * MiB - 1);
      made.addMapping(START, START + 2 * MiB - 1);
      bus.newId('fsdev_dax', made.name);
      return made;
    })();
    return { bus, dax: device.dax };
  }

  it('zero any number of pages across ranges, and clear their poison', () => {
    const { bus, dax } = realFamfs();
    const last = bus.memory!.bytes(START + 10 * MiB - 4096, 4096).fill(1);
    const first = bus.memory!.bytes(START, 8192).fill(2);
    bus.pages.poison(START / 4096, 1);
    dax.zeroPageRange(511, 2);
    expect([last[0], last[4095], first[0], first[4095], first[4096]]).toEqual([0, 0, 0, 0, 2]);
    expect(bus.pages.poisonedRanges()).toEqual([]);
  });

  it('zero nothing when a part is beyond the end', () => {
    const { bus, dax } = realFamfs();
    const last = bus.memory!.bytes(START + 2 * MiB - 4096, 4096).fill(9);
    expect(outcome(() => dax.zeroPageRange(1023, 2))).toBe('ERANGE');
    expect(outcome(() => dax.zeroPageRange(5000, 1))).toBe('ERANGE');
    expect(last[0]).toBe(9);
  });

  it('recover what is written whole, across ranges', () => {
    const { bus, dax } = realFamfs();
    bus.pages.poison(START / 4096 + 2048 + 511, 1);
    bus.pages.poison(START / 4096, 2);
    const bytes = new Uint8Array(4096 + 4096 + 100).fill(5);
    expect(dax.recoveryWrite(511, 0, bytes)).toBe(bytes.length);
    expect(bus.memory!.bytes(START + 4096, 101)[99]).toBe(5);
    expect(bus.memory!.bytes(START + 4096, 101)[100]).toBe(0);
    expect(bus.pages.poisonedRanges()).toEqual([{ pfn: START / 4096 + 1, pages: 1 }]);
    expect(dax.recoveryWrite(1023, 4000, new Uint8Array(200))).toBe(96);
  });
});

describe('lookup by dev_t', () => {
  it('finds what is there and makes nothing up', () => {
    const { bus, dax } = famfs();
    expect(bus.registry.lookup('251:0')).toBe(dax);
    expect(bus.registry.lookup('251:77')).toBeNull();
    expect(bus.registry.entries).toEqual(['251:0']);
    bus.removeRegion(0);
    expect(bus.registry.lookup('251:0')).toBeNull();
  });
});
