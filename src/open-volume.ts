/** Opens the volume of a state directory in one call. */
import { hasFileSystem, type MountOptions, mountFamfsOn, type Volume } from './famfs/index.js';
import { closedWithItsHold, mkfs, mountOptions } from './famfs-device.js';
import {
  asDaxError,
  checkArguments,
  fail,
  hasCode,
  type LockPatience,
  optional,
  patienceIn,
  size,
  text,
  waitForLock,
  options as wanted,
} from './libc/index.js';
import { defaultRoot, isKernelRoot, type Machine, type MachineDevice, openMachine } from './machine/index.js';

const openVolumeOptions = wanted({ size: optional(size), name: optional(text), ...mountOptions });

export interface OpenVolumeOptions extends MountOptions {
  /** Size of the memory, used when there is none yet: bytes, or text like `1GiB`. */
  size?: number | string;
  /** The device to use, `dax0.0`. Default: the first device in famfs mode. */
  name?: string;
}

/**
 * Opens the volume of a state directory. It makes what is missing: the machine, a region of `size`, famfs mode, the file system.
 * It keeps what is there. Any number of processes may call it at once; a process that may have to wait for another one's making
 * should allow some patience (`lockWaitMs`). The volume's close() also closes the machine and the device.
 * @param root a directory; default as openMachine()
 * @throws DaxError EINVAL there is no volume yet and no size was given; ENODEV no device of that name; ENXIO it is in another
 *   mode; as openMachine(), Machine.createRegion() (ENOSPC, EACCES), mkfs() and mountFamfs()
 */
export function openVolume(root: string = defaultRoot(), options: OpenVolumeOptions = {}): Volume {
  checkArguments('openVolume', [root, options], { root: text, options: openVolumeOptions });
  const { size, name, ...mount } = options;
  if (isKernelRoot(root)) {
    fail('EINVAL', `${root} is no directory: mountFamfs('/dev/dax0.0') mounts a device of the kernel`);
  }
  const machine = openMachine(root, { create: size !== undefined, ...patienceIn(mount) });
  try {
    const device = machine.device(name ?? famfsDevice(machine, size));
    const opened = Object.assign(device, { close: () => machine.close() });
    return whenNoLongerMade(device.name, mount, () => {
      if (!mount.readOnly) makeFileSystemIfNone(device);
      return mountFamfsOn(closedWithItsHold(opened), mount);
    });
  } catch (error) {
    machine.close();
    throw asDaxError(error, `opening the volume at ${root} failed`);
  }
}

/** Finds a device in famfs mode, or makes one. Making is one change: of several processes only one makes it. */
function famfsDevice(machine: Machine, size: number | string | undefined): string {
  const find = (): string | undefined =>
    machine.devices().find(({ mode, state }) => mode === 'famfs' && state === 'enabled')?.name;
  const found = find();
  if (found !== undefined) return found;
  if (size === undefined) {
    fail(
      'EINVAL',
      `no device of the machine at ${machine.root} is in famfs mode: say how big a new one is to be, { size: '1GiB' }, or name one`,
      { path: machine.root },
    );
  }
  return machine.change(() => {
    const made = find();
    if (made !== undefined) return made;
    const [name] = machine.createRegion({ size }).devices;
    return machine.reconfigure(name!, 'famfs').name;
  });
}

/**
 * Retries while another process makes the file system.
 * @throws DaxError EBUSY the device stays in use for longer than `patience` allows
 */
function whenNoLongerMade<T>(name: string, patience: LockPatience, act: () => T): T {
  let result: { value: T } | undefined;
  let refusal: unknown;
  const since = performance.now();
  const attempt = (): boolean => {
    try {
      result = { value: act() };
      return true;
    } catch (error) {
      if (!hasCode(error, 'EBUSY')) throw error;
      refusal = error;
      return false;
    }
  };
  waitForLock(attempt, `the file system of ${name}`, patience, { since });
  if (result) return result.value;
  throw refusal;
}

function makeFileSystemIfNone(device: MachineDevice): void {
  if (hasFileSystem(device)) return;
  try {
    mkfs(device);
  } catch (error) {
    // Another process has just made one.
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}
