import { constants } from 'node:fs';
import { probeExtentMaps } from '../../fuse/index.js';
import type { KernelDeviceInfo, KernelMachine, KernelStatus } from '../../machine/index.js';
import { mayAccess } from '../access.js';
import type { Context } from '../context.js';
import { withKernel } from '../opening.js';
import { count, humanSize } from '../output/human.js';

/** `ok`: works. `limited`: udax works, but something is slower or missing. `missing`: udax cannot work. */
export type Verdict = 'ok' | 'limited' | 'missing';

/** One line of `udax doctor`, and its meaning. */
export interface Finding {
  subject: string;
  verdict: Verdict;
  found: string;
  meaning: string;
}

/** Checks the kernel's dax bus, and what this user may do with it. */
export function daxFindings(context: Context): Finding[] {
  return withKernel(context, (machine) => {
    const status = machine.status();
    if (status.devices.length === 0) return [bus(status)];
    return [
      bus(status),
      nodes(status.devices),
      modeChanges(machine, status.devices),
      zeroCopy(status, machine.sysfs.isLive),
    ];
  });
}

function bus(status: KernelStatus): Finding {
  const subject = 'kernel dax bus';
  if (!status.hasBus) {
    const meaning = 'udax brings its own bus over files and shared memory; real devices: docs/hardware.md';
    return { subject, verdict: 'ok', found: 'not in this kernel, or not loaded', meaning };
  }
  const names = status.devices.map(({ name }) => name).join(' ') || 'none';
  const found = `${count(status.devices.length, 'device')} (${names}), drivers: ${status.drivers.join(' ') || 'none'}`;
  const meaning =
    status.devices.length === 0
      ? 'no dax device: regions are backed by files; docs/hardware.md tells how to get one'
      : 'udax --kernel is about these: list, status, mkfs, mount; a device can also back a region';
  return { subject, verdict: 'ok', found, meaning };
}

/** Whether `udax mount` can hand a device to the kernel. Only root can ask the kernel itself; others go by its release. */
function zeroCopy({ release, drivers }: KernelStatus, isLive: boolean): Finding {
  const subject = 'zero-copy mounts';
  const limited = (found: string, meaning: string): Finding => ({
    subject,
    verdict: 'limited',
    found,
    meaning,
  });
  const copies =
    'udax mount serves files through copies in the page cache; the library maps the memory itself on any kernel';
  if (!isLive) return limited('another tree than /sys', 'only the running kernel can have them');
  const isRoot = process.geteuid?.() === 0;
  const offered = isRoot ? isOffered() : null;
  if (offered === false || (offered === null && !isAtLeast(release, 7, 4)))
    return limited(`not in Linux ${release}: extent maps of FUSE came with 7.4`, copies);
  if (!isRoot) return limited(`Linux ${release} should have them`, 'they need root (CAP_SYS_RAWIO)');
  if (!drivers.includes('fsdev_dax'))
    return limited('no fsdev_dax driver', 'modprobe fsdev_dax; without it a device cannot go to famfs mode');
  const meaning = 'udax mount hands the device to the kernel: every program maps its memory, without copies';
  return { subject, verdict: 'ok', found: 'this kernel offers extent maps', meaning };
}

/** Null when it cannot be asked. */
function isOffered(): boolean | null {
  try {
    return probeExtentMaps().isOffered;
  } catch {
    return null;
  }
}

function isAtLeast(release: string, major: number, minor: number): boolean {
  const [a = 0, b = 0] = release.split(/[.-]/).map(Number);
  return a > major || (a === major && b >= minor);
}

function nodes(devices: readonly KernelDeviceInfo[]): Finding {
  const subject = 'dax devices';
  const found = devices.map(describeNode).join('; ');
  const ready = devices.filter((device) => problemOf(device) === '');
  if (ready.length > 0) {
    const meaning = `udax mkfs ${ready[0]!.node} makes a famfs on one`;
    return { subject, verdict: 'ok', found, meaning };
  }
  const closed = devices.some((device) => problemOf(device) === 'closed');
  const meaning = closed
    ? 'this user may not open them: run as root, or add a udev rule (docs/hardware.md)'
    : 'raw access needs devdax mode: udax --kernel reconfigure-device -m devdax DEVICE, or --set-mode for one command';
  return { subject, verdict: 'limited', found, meaning };
}

function describeNode(device: KernelDeviceInfo): string {
  const mode = device.state === 'disabled' ? 'disabled' : `${device.mode} mode`;
  const closed = problemOf(device) === 'closed' ? ', closed to this user' : '';
  return `${device.node} ${humanSize(device.size)}, align ${humanSize(device.align)}, ${mode}${closed}`;
}

function problemOf(device: KernelDeviceInfo): '' | 'mode' | 'closed' {
  if (device.driver !== 'device_dax') return 'mode';
  return mayAccess(device.node, constants.R_OK | constants.W_OK) ? '' : 'closed';
}

function modeChanges(machine: KernelMachine, devices: readonly KernelDeviceInfo[]): Finding {
  const subject = 'dax modes';
  const driver = devices.find((device) => device.driver !== null)?.driver ?? 'device_dax';
  const file = machine.sysfs.absolute(`bus/dax/drivers/${driver}/new_id`);
  return mayAccess(file, constants.W_OK)
    ? {
        subject,
        verdict: 'ok',
        found: 'this user may change them',
        meaning: 'reconfigure-device and --set-mode work',
      }
    : {
        subject,
        verdict: 'limited',
        found: `${file} is closed to this user`,
        meaning: 'reconfigure-device and --set-mode need root; using a device in devdax mode does not',
      };
}
