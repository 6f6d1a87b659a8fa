import { constants } from 'node:fs';
import type { KernelDeviceInfo, KernelMachine, KernelStatus } from '../../machine/index.js';
import { mayAccess } from '../access.js';
import type { Context } from '../context.js';
import { withKernel } from '../opening.js';
import { count, humanSize } from '../output/human.js';
import { zeroCopyMounts } from './doctor-doors.js';
import type { Finding } from './finding.js';

/** Checks the kernel's dax bus, and what this user may do with it. */
export function daxFindings(context: Context): Finding[] {
  return withKernel(context, (machine) => {
    const status = machine.status();
    const mounts = zeroCopyMounts(status, machine.sysfs.isLive);
    if (status.devices.length === 0) return [bus(status), mounts];
    return [bus(status), nodes(status.devices), modeChanges(machine, status.devices), mounts];
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
