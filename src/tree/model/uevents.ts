/** Uevents as text: the lines that a listener gets, and the text that a store to a `uevent` attribute takes. */
import type { DevDax, Uevent } from '../../dax/index.js';
import { fail } from '../../libc/index.js';
import { devicePath, type RegionPlace } from './place.js';

const ACTIONS = ['add', 'remove', 'change', 'move', 'online', 'offline', 'bind', 'unbind'] as const;
export type UeventAction = (typeof ACTIONS)[number];

export interface SyntheticUevent {
  action: UeventAction;
  /** SYNTH_UUID and SYNTH_ARG_* lines, in order. */
  lines: string[];
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const ARGUMENT = /^([A-Za-z0-9]+)=([A-Za-z0-9]+)$/;

/**
 * Parses a store to a `uevent` attribute: `ACTION [UUID [KEY=VALUE ...]]`; keys and values are letters and digits only.
 * @throws DaxError EINVAL
 */
export function parseSyntheticUevent(text: string): SyntheticUevent {
  const [action, uuid, ...others] = text.replace(/\n$/, '').split(' ');
  if (!isAction(action))
    fail('EINVAL', `${JSON.stringify(text)} does not begin with one of ${ACTIONS.join(' ')}`);
  if (uuid === undefined) return { action, lines: ['SYNTH_UUID=0'] };
  if (!UUID.test(uuid)) fail('EINVAL', `${JSON.stringify(uuid)} is not a UUID`);
  const lines = [`SYNTH_UUID=${uuid}`];
  for (const other of others) {
    const [, key, value] =
      ARGUMENT.exec(other) ?? fail('EINVAL', `${JSON.stringify(other)} is not KEY=VALUE`);
    lines.push(`SYNTH_ARG_${key}=${value}`);
  }
  return { action, lines };
}

function isAction(text: string | undefined): text is UeventAction {
  return ACTIONS.includes(text as UeventAction);
}

/** The KEY=value lines that a listener gets, in the kernel's order. */
export function ueventLines(uevent: Uevent, place: RegionPlace): string[] {
  const { device } = uevent;
  const lines = [
    `ACTION=${uevent.action}`,
    `DEVPATH=/${devicePath(place, device)}`,
    'SUBSYSTEM=dax',
    ...(uevent.synthetic ?? []),
    `MAJOR=${device.major}`,
    `MINOR=${device.minor}`,
    `DEVNAME=${device.name}`,
  ];
  if (uevent.driver !== null) lines.push(`DRIVER=${uevent.driver}`);
  // The kernel's unbind event has no MODALIAS: it is sent after the driver is gone.
  if (uevent.action !== 'unbind' || uevent.synthetic !== null) lines.push(`MODALIAS=${device.modalias}`);
  return lines;
}

/** The text of the `uevent` attribute of a device. */
export function ueventAttribute(device: DevDax): string {
  const lines = [`MAJOR=${device.major}`, `MINOR=${device.minor}`, `DEVNAME=${device.name}`];
  if (device.driver !== null) lines.push(`DRIVER=${device.driver}`);
  lines.push(`MODALIAS=${device.modalias}`);
  return lines.map((line) => `${line}\n`).join('');
}
