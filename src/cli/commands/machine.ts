import type { HolderInfo, MachineStatus, PoisonRange } from '../../machine/index.js';
import { positiveSizeArgument, sizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { withExistingMachine, withKernel, withMachineIfAny } from '../opening.js';
import { count, hex, humanSize } from '../output/human.js';
import { formatTable } from '../output/table.js';
import { describeKernelStatus, unseenText } from './kernel-status.js';
import { deviceTable, holderTable } from './tables.js';

/** `udax status` */
export async function status(context: Context): Promise<void> {
  if (context.kernel) {
    const found = withKernel(context, (machine) => machine.status());
    context.show(found, () => describeKernelStatus(found));
    return;
  }
  const found = withMachineIfAny<MachineStatus | null>(context, null, (machine) => machine.status());
  const endedMounts = await mountsThatEnded(context.root);
  context.show({ ...(found ?? emptyStatus(context.root)), endedMounts }, () =>
    found === null
      ? `no machine at ${context.root} yet: udax create-region -s 1GiB, or udax up, makes one`
      : [describeStatus(found), ...endedMounts.map(endText)].join('\n\n'),
  );
}

interface EndedMount {
  mountpoint: string;
  what: string;
  pid: number;
  /** What its log says about its end. */
  lastWords: string | null;
}

/** The daemons that ended without unmounting. */
async function mountsThatEnded(root: string): Promise<EndedMount[]> {
  const { MountRecords } = await import('../../mounts/daemon/records.js');
  return new MountRecords(root).dead().map(({ record: { mountpoint, what, pid }, lastWords }) => ({
    mountpoint,
    what,
    pid,
    lastWords,
  }));
}

function endText({ mountpoint, what, pid, lastWords }: EndedMount): string {
  const how = lastWords ?? `its daemon (pid ${pid}) is gone`;
  return `the mount of ${what} at ${mountpoint} is dead: ${how}; udax umount ${mountpoint} clears it away, then mount it again`;
}

function emptyStatus(root: string): MachineStatus {
  return {
    root,
    generation: 0,
    modules: [],
    regions: [],
    devices: [],
    holders: [],
    poison: [],
    nodes: [],
    process: { mappings: 0, mappedBytes: 0 },
  };
}

/** The text of `udax status`. */
export function describeStatus(status: MachineStatus): string {
  const sections = [
    `machine ${status.root}, generation ${status.generation}, modules ${status.modules.join(' ') || 'none'}`,
  ];
  if (status.regions.length === 0) sections.push('no regions: udax create-region -s 1GiB makes one');
  else
    sections.push(
      regionTable(status),
      deviceTable(status, ({ name, state }) => ({ shown: name, state })),
    );
  if (status.nodes.length > 0) sections.push(nodeTable(status));
  if (status.holders.length > 0) sections.push(holderTable(status.holders));
  if (status.poison.length > 0) sections.push(poisonTable(status.poison));
  return sections.join('\n\n');
}

function regionTable(status: MachineStatus): string {
  return formatTable(
    [
      { heading: 'REGION', right: true },
      { heading: 'TYPE' },
      { heading: 'SIZE', right: true },
      { heading: 'FREE', right: true },
      { heading: 'ADDRESS' },
      { heading: 'MEMORY' },
    ],
    status.regions.map((region) => [
      region.id,
      `${region.static ? 'static' : 'dynamic'} ${region.type}`,
      humanSize(region.size),
      humanSize(region.availableSize),
      hex(region.hpa),
      `${region.backing.path} (${region.backing.problem ?? (region.backing.ram ? 'RAM' : region.backing.kind)})`,
    ]),
  );
}

function nodeTable(status: MachineStatus): string {
  return formatTable(
    [
      { heading: 'NODE', right: true },
      { heading: 'TOTAL', right: true },
      { heading: 'ONLINE', right: true },
      { heading: 'USED', right: true },
    ],
    status.nodes.map((node) => [
      node.id,
      humanSize(node.totalBytes),
      humanSize(node.onlineBytes),
      humanSize(node.usedBytes),
    ]),
  );
}

/** `udax holders` */
export function holders(context: Context, [device]: string[]): void {
  if (context.kernel) {
    const { holders: seen, unseen } = withKernel(context, (machine) => machine.survey(device));
    showHolders(context, seen, device);
    if (unseen > 0) context.output.note(unseenText(unseen));
    return;
  }
  const found = withMachineIfAny<HolderInfo[]>(context, [], (machine) => machine.holders(device));
  showHolders(context, found, device);
}

function showHolders(context: Context, found: readonly HolderInfo[], device: string | undefined): void {
  const nobody = device === undefined ? 'nobody holds a device' : `nobody holds ${device}`;
  context.show(found, () => (found.length === 0 ? nobody : holderTable(found)));
}

/** `udax poison` */
export function poison(context: Context, args: string[], flags: { list?: boolean; clear?: boolean }): void {
  const [device, offset, length] = args;
  if ([device !== undefined, flags.list, flags.clear].filter(Boolean).length !== 1) {
    throw new UsageError('poison wants one of: DEVICE OFFSET [LENGTH], --list, --clear');
  }
  if (flags.list) listPoison(context);
  else if (flags.clear) clearPoison(context);
  else markPoison(context, device!, offset, length);
}

function markPoison(context: Context, device: string, offset: string | undefined, length = '4096'): void {
  if (offset === undefined) throw new UsageError('poison DEVICE needs an OFFSET, like 64M');
  const at = {
    device,
    offset: sizeArgument(offset, 'OFFSET'),
    length: positiveSizeArgument(length, 'LENGTH'),
  };
  withExistingMachine(context, (machine) => machine.memoryFailure(at));
  context.show(at, () => `${device}: ${humanSize(at.length)} at ${hex(at.offset)} marked as failed`);
}

function listPoison(context: Context): void {
  const found = withMachineIfAny<PoisonRange[]>(context, [], (machine) => machine.poisonList());
  context.show(found, () => (found.length === 0 ? 'no bad memory is known' : poisonTable(found)));
}

function clearPoison(context: Context): void {
  const cleared = withMachineIfAny(context, 0, (machine) => {
    const known = machine.poisonList().length;
    machine.clearPoison();
    return known;
  });
  context.show({ cleared }, () => `${count(cleared, 'range')} forgotten`);
}

function poisonTable(ranges: readonly PoisonRange[]): string {
  return formatTable(
    [{ heading: 'POISON ON' }, { heading: 'OFFSET', right: true }, { heading: 'LENGTH', right: true }],
    ranges.map((range) => [range.device, hex(range.offset), humanSize(range.length)]),
  );
}
