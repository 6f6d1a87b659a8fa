import type { DevDax } from '../../../dax/index.js';
import { fail } from '../../../libc/index.js';
import { type Operation, pairs } from '../operation.js';
import type { World } from '../world.js';

/** Ids, bind and unbind, and probes that fail half-way. */
export const bindingOperations: readonly Operation[] = [
  {
    name: 'new_id',
    words: 'DRIVER DEVICE',
    group: 'binding',
    offers: (world) => pairs(driverNames(world), knownNames(world)),
    apply: ({ bus }, [driver, device]) => bus.newId(driver!, device!),
  },
  {
    name: 'remove_id',
    words: 'DRIVER DEVICE',
    group: 'binding',
    offers: ({ bus }) => bus.drivers.flatMap((driver) => driver.ids.map((id) => [driver.name, id])),
    apply: ({ bus }, [driver, device]) => bus.removeId(driver!, device!),
  },
  {
    name: 'bind',
    words: 'DRIVER DEVICE',
    group: 'binding',
    offers: (world) => pairs(driverNames(world), deviceNames(world)),
    apply: ({ bus }, [driver, device]) => bus.bind(driver!, device!),
  },
  {
    name: 'unbind',
    words: 'DRIVER DEVICE',
    group: 'binding',
    offers: (world) => pairs(driverNames(world), deviceNames(world)),
    apply: ({ bus }, [driver, device]) => bus.unbind(driver!, device!),
  },
  {
    name: 'drivers_probe',
    words: 'DEVICE',
    group: 'binding',
    offers: ({ bus }) =>
      bus
        .devices()
        .filter(({ driver }) => driver === null)
        .map(({ name }) => [name]),
    apply: ({ bus }, [device]) => bus.probe(device!),
  },
  {
    name: 'failing_bind',
    words: 'DRIVER DEVICE STEP',
    group: 'probe-failures',
    offers: ({ bus }) =>
      bus.drivers.flatMap((driver) =>
        bus
          .devices()
          .filter((device) => device.driver === null && device.size > 0 && driver.matches(device))
          .flatMap((device) =>
            probeSteps(driver.name, device).map((step) => [driver.name, device.name, step]),
          ),
      ),
    apply: failingBind,
  },
];

/** A bind whose probe runs out of memory at its n-th acquisition. */
function failingBind({ bus }: World, [driver, device, step]: readonly string[]): void {
  bus.platform.failProbeAtStep = Number(step);
  try {
    bus.bind(driver!, device!);
  } finally {
    bus.platform.failProbeAtStep = null;
  }
  fail('EINVAL', `${driver} takes fewer than ${step} steps`);
}

/** Acquisitions that a probe makes, besides one for each range. */
const OTHER_STEPS: Readonly<Record<string, number>> = { device_dax: 5, fsdev_dax: 8 };

function probeSteps(driver: string, device: DevDax): string[] {
  const other = OTHER_STEPS[driver];
  const count = other === undefined ? device.ranges.length * 2 : other + device.ranges.length;
  return Array.from({ length: count }, (_, step) => String(step));
}

function driverNames({ bus }: World): string[] {
  return bus.drivers.map(({ name }) => name);
}

function deviceNames({ bus }: World): string[] {
  return bus.devices().map(({ name }) => name);
}

/** Existing devices, and the first devices of regions that can be added. */
function knownNames({ bus, scope }: World): string[] {
  const names = new Set(scope.regions.map((_, id) => `dax${id}.0`));
  for (const { name } of bus.devices()) names.add(name);
  return [...names];
}
