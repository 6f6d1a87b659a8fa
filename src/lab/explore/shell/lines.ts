/** Each event as the shell command for a real machine. Function names are those of the script. */
import { fail } from '../../../libc/index.js';
import type { ExploreEvent } from '../operation.js';
import type { Scope } from '../scope.js';

type Line = (words: readonly string[], scope: Scope) => string;

/** The shell variable with the real name of a device of the trace. */
function variable(device: string): string {
  return `$${device.replace('.', '_')}`;
}

const bus = '$SYS/bus/dax';

function toDriver(attribute: string): Line {
  return ([driver, device]) => `put "${variable(device!)}" "${bus}/drivers/${driver}/${attribute}"`;
}

function ofDevice(device: string, attribute: string): string {
  return `"${bus}/devices/${variable(device)}/${attribute}"`;
}

function ofRegion(id: string, attribute: string): string {
  return `"${bus}/devices/${variable(`dax${id}.0`)}/../dax_region/${attribute}"`;
}

/** The module that provides regions of a kind. It adds all of them at once. */
function provider(id: string, scope: Scope): string {
  return scope.regions[Number(id)]?.static ? 'dax_pmem' : 'dax_hmem';
}

const agent: Line = (words) => `agent ${words.join(' ')}`;

const LINES: Readonly<Record<string, Line>> = {
  insmod: ([module]) => `modprobe ${module}`,
  rmmod: ([module]) => `rmmod ${module}`,
  autoprobe: ([on]) => `put ${on} "${bus}/drivers_autoprobe"`,
  new_id: toDriver('new_id'),
  remove_id: toDriver('remove_id'),
  bind: toDriver('bind'),
  unbind: toDriver('unbind'),
  drivers_probe: ([device]) => `put "${variable(device!)}" "${bus}/drivers_probe"`,
  failing_bind: ([driver, device, step]) =>
    `failing ${Number(step) + 1} "${variable(device!)}" "${bus}/drivers/${driver}/bind"`,
  add_region: ([id], scope) => `modprobe ${provider(id!, scope)}`,
  remove_region: ([id], scope) => `modprobe -r ${provider(id!, scope)}`,
  create: ([id]) => `put 1 ${ofRegion(id!, 'create')}`,
  delete: ([device]) => `put "${variable(device!)}" ${ofRegion(/\d+/.exec(device!)?.[0] ?? '0', 'delete')}`,
  size: ([device, units]) => `put "$((${units} * UNIT))" ${ofDevice(device!, 'size')}`,
  mapping: ([device, span]) =>
    `put "$(span ${base(device!)} ${span!.replace('+', ' ')})" ${ofDevice(device!, 'mapping')}`,
  align: ([device, bytes]) => `put ${bytes} ${ofDevice(device!, 'align')}`,
  open: ([file, device]) => `agent open ${file} "/dev/${variable(device!)}"`,
  close: (words, scope) => agent(['close', ...words], scope),
  mmap: (words, scope) => agent(['mmap', ...words], scope),
  munmap: (words, scope) => agent(['munmap', ...words], scope),
  touch: (words, scope) => agent(['touch', ...words], scope),
  mount: ([name, device]) => `mount_on ${name} "/dev/${variable(device!)}"`,
  umount: ([name]) => `umount "$MOUNTS/${name}"`,
  fault: ([name, unit]) => `agent map ${name}${unit} "$MOUNTS/${name}/$FILE" ${unit}`,
  unfault: ([name, unit]) => `agent munmap ${name}${unit}`,
  zero: ([, unit]) => `kernel "dax_zero_page_range(dax_dev, ${Number(unit) * 512}, 1)"`,
  memory_failure: ([device, unit]) =>
    `put "$(page_at ${variable(device!)} ${Number(unit) * 512 + 1})" "$SYS/devices/system/memory/hard_offline_page"`,
  block: ([id, state], scope) => block(id!, state!, scope),
  lookup: ([devt]) =>
    `kernel "a mount that looks for dev_t ${devt} (fs_dax_get of a device that is not there)"`,
  reconfigure: ([device, driver]) =>
    `daxctl reconfigure-device -f -m ${MODE[driver!] ?? driver} "${variable(device!)}"`,
  start_notify: ([call, device, unit]) => `start ${call} notify ${variable(device!)} ${unit}`,
  start_umount: ([call, name]) => `start ${call} umount ${name}`,
  start_unbind: ([call, device, driver]) => `start ${call} unbind ${variable(device!)} ${driver}`,
  continue: ([call]) => `finish ${call}`,
};

const MODE: Readonly<Record<string, string>> = {
  device_dax: 'devdax',
  fsdev_dax: 'famfs',
  kmem: 'system-ram',
};

/** The shell variable with the start of a device's region. */
function base(device: string): string {
  return `$start${/\d+/.exec(device)?.[0] ?? '0'}`;
}

function block(id: string, state: string, scope: Scope): string {
  const start = Number(id) * BLOCK;
  const region = scope.regions.find((one) => start >= one.start && start < one.start + one.size);
  if (region === undefined) return fail('EINVAL', `block ${id} is in no region of scope ${scope.name}`);
  const offset = (start - region.start) / BLOCK;
  return `put ${state} "$SYS/devices/system/memory/memory$((start${region.id} / BLOCK + ${offset}))/state"`;
}

const BLOCK = 2 * 2 ** 20;

/** One line of the script: the event's text, and the command. */
export function shellLine(event: ExploreEvent, scope: Scope): string {
  const line = LINES[event.operation.name];
  if (line === undefined) return fail('EINVAL', `${event.text} cannot be written as shell`);
  const command = line(event.words, scope);
  // A background call must not run inside `try`, which waits for a command's output.
  return event.operation.group === 'threads'
    ? `echo '${event.text}'\n${command}`
    : `try '${event.text}' ${command}`;
}
