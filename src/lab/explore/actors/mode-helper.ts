/** A helper program (mkfs, fsck, mount, logplay) that brings a device into famfs mode for its work. */
import type { Bus, DevDax } from '../../../dax/index.js';
import { fail } from '../../../libc/index.js';

/** Where the helper's own work can go wrong. */
export const HELPER_STEPS = ['id', 'bind', 'work'] as const;
export type HelperStep = (typeof HELPER_STEPS)[number];

/**
 * Runs `work` on a device in famfs mode and leaves it so. When a step fails, mode, driver and id lists are as they were (I12).
 * It touches nothing that others use.
 * @throws ENODEV no such device or driver; EBUSY others use it, or it is system RAM; what the probe or the work throws
 */
export function inFamfsMode(bus: Bus, device: DevDax, work: () => void, failAt: HelperStep | null = null): void {
  const before = device.driver;
  const hadId = bus.driver('fsdev_dax')?.ids.includes(device.name) ?? false;
  refuseUsed(bus, device);
  const mayFail = (step: HelperStep): void => {
    if (step === failAt) fail('EIO', `the helper fails at ${step}`);
  };
  try {
    if (before !== null && before !== 'fsdev_dax') bus.unbind(before, device.name);
    mayFail('id');
    bus.newId('fsdev_dax', device.name);
    mayFail('bind');
    if (device.driver !== 'fsdev_dax') bus.bind('fsdev_dax', device.name);
    mayFail('work');
    work();
  } catch (error) {
    // The helpers of upstream left it as it was just then: unbound, or in the other mode.
    if (!bus.quirks.has('mode-not-restored')) restore(bus, device, before, hadId);
    throw error;
  }
}

function refuseUsed(bus: Bus, device: DevDax): void {
  if (device.driver === 'kmem') fail('EBUSY', `${device.name} is system RAM: reconfigure it to devdax first`);
  if (device.dax.holder !== null) fail('EBUSY', `${device.name} is mounted: unmount it first`);
  for (const file of bus.openFiles)
    if (file.device === device) fail('EBUSY', `${device.name} is open: close it first`);
}

function restore(bus: Bus, device: DevDax, before: string | null, hadId: boolean): void {
  if (!hadId && bus.driver('fsdev_dax') !== undefined) bus.removeId('fsdev_dax', device.name);
  if (device.driver === before) return;
  if (device.driver !== null) bus.unbind(device.driver, device.name);
  if (before !== null) bus.bind(before, device.name);
}
