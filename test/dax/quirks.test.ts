import { describe, expect, it } from 'vitest';
import { type Bus, checkInvariants, checkUnchanged, holdWhile, QUIRKS } from '../../src/dax/index.js';
import type { Violation } from '../../src/mm/index.js';
import { moveTo } from '../tree/support.js';
import { bareBus, dynamicRegion, MiB, outcome, START, staticRegion, twoRangeFsdev } from './support.js';

const ops = { notifyFailure: () => undefined };
const shared = { prot: 'rw', type: 'shared' } as const;

/** For each flag: a short run in which it shows. Returns violations other than those that the bus has at the end. */
const runs: Record<string, (bus: Bus) => Violation[] | undefined> = {
  'v9-match': (bus) => void staticRegion(bus),
  'failure-offset-first-range': (bus) => void twoRangeFsdev(bus),
  'kaddr-first-range': (bus) => void twoRangeFsdev(bus),
  'direct-access-crosses-range': (bus) => void twoRangeFsdev(bus),
  'pgmap-starts-after-data': (bus) => {
    bus.newId('fsdev_dax', 'dax0.0');
    bus.addRegion({
      type: 'device',
      static: true,
      start: START,
      size: 8 * MiB,
      align: 2 * MiB,
      targetNode: 1,
      pageMapStart: START + 4096,
    });
    return undefined;
  },
  'vmemmap-shift-left': (bus) => void deviceDaxThenFsdev(bus, true),
  'pgmap-ops-left': (bus) => {
    deviceDaxThenFsdev(bus, true);
    bus.unbind('fsdev_dax', 'dax0.0');
    return undefined;
  },
  'pgmap-published-early': (bus) => {
    bus.resources.request(START, START, 'foreign');
    dynamicRegion(bus);
    bus.newId('fsdev_dax', 'dax0.0');
    return undefined;
  },
  'holder-ops-read-twice': (bus) => {
    const { dax } = twoRangeFsdev(bus);
    const holder = {};
    dax.holderGet(holder, ops);
    const finish = dax.beginNotifyFailure(0, 4096, 0);
    dax.holderPut(holder);
    finish();
    return undefined;
  },
  'holder-cleared-first': (bus) => {
    const { dax } = twoRangeFsdev(bus);
    const [first, second] = [{}, {}];
    dax.holderGet(first, ops);
    const finish = dax.beginHolderPut(first);
    outcome(() => dax.holderGet(second, ops));
    finish();
    return undefined;
  },
  'put-when-get-failed': (bus) => {
    const { dax } = twoRangeFsdev(bus);
    dax.holderGet({}, ops);
    outcome(() => holdWhile(dax, {}, ops, () => undefined));
    return undefined;
  },
  'phantom-lookup': (bus) => void bus.deviceByDevt('251:42'),
  'zero-page-failed-translation': (bus) => {
    const { dax } = twoRangeFsdev(bus);
    outcome(() => dax.zeroPageRange(99_999, 1));
    return undefined;
  },
  'compound-left': (bus) => void deviceDaxThenFsdev(bus, false),
  'mode-not-restored': (bus) => {
    staticRegion(bus);
    bus.insmod('device_dax');
    const before = bus.snapshot();
    expect(outcome(() => moveTo(bus, 'dax0.0', 'kmem'))).toBe('EINVAL');
    return checkUnchanged(before, bus, 'reconfigure');
  },
  'no-clear-on-unbind': (bus) => {
    const device = twoRangeFsdev(bus);
    bus.pages.associate(START / 4096, 9, { name: '/a' }, 0);
    bus.unbind('fsdev_dax', device.name);
    return undefined;
  },
  'kernel72-rebind-open-file': (bus) => {
    bus.insmod('device_dax');
    staticRegion(bus);
    bus.open('dax0.0').mmap({ ...shared, offset: 0, length: 2 * MiB });
    bus.unbind('device_dax', 'dax0.0');
    bus.bind('device_dax', 'dax0.0');
    return undefined;
  },
  'kernel72-open-after-unbind': (bus) => {
    bus.insmod('device_dax');
    staticRegion(bus);
    bus.open('dax0.0');
    bus.unbind('device_dax', 'dax0.0');
    outcome(() => bus.open('dax0.0').mmap({ ...shared, offset: 0, length: 2 * MiB }));
    return undefined;
  },
  'kernel72-mapping-while-bound': (bus) => {
    const device = twoRangeFsdev(bus);
    device.addMapping(START + 32 * MiB, START + 34 * MiB - 1);
    bus.unbind('fsdev_dax', device.name);
    return undefined;
  },
  'kernel72-sticky-pgmap': (bus) => {
    bus.resources.request(START, START, 'foreign');
    dynamicRegion(bus);
    bus.insmod('device_dax');
    return undefined;
  },
  'kernel72-mapping-warn': (bus) => {
    const device = twoRangeFsdev(bus);
    outcome(() => device.addMapping(START, START - 1));
    return undefined;
  },
};

function deviceDaxThenFsdev(bus: Bus, isStatic: boolean): void {
  bus.insmod('device_dax');
  if (isStatic) staticRegion(bus);
  else dynamicRegion(bus);
  bus.unbind('device_dax', 'dax0.0');
  bus.rmmod('device_dax');
  bus.newId('fsdev_dax', 'dax0.0');
}

describe('quirks', () => {
  it('have a run each', () => {
    expect(Object.keys(runs).sort()).toEqual(QUIRKS.map(({ flag }) => flag).sort());
  });

  it.each(QUIRKS.map(({ flag, invariant }) => [flag, invariant]))('%s is caught by %s', (flag, invariant) => {
    const bus = bareBus({ quirks: [flag!], modules: ['fsdev_dax', 'kmem'] });
    const wrong = [...(runs[flag!]!(bus) ?? []), ...checkInvariants(bus)];
    expect(wrong.map((each) => each.invariant)).toContain(invariant);
  });

  it.each(QUIRKS.map(({ flag }) => flag))('without %s the same run breaks nothing', (flag) => {
    const bus = bareBus({ modules: ['fsdev_dax', 'kmem'] });
    const wrong = [...(runs[flag]!(bus) ?? []), ...checkInvariants(bus)];
    expect(wrong).toEqual([]);
  });

  it('that nobody knows are refused', () => {
    expect(() => bareBus({ quirks: ['linux-9'] })).toThrow(/no quirk linux-9/);
  });
});
