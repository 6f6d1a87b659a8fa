import { statSync } from 'node:fs';
import { hasFileSystem } from '../../famfs/index.js';
import { fail } from '../../libc/index.js';
import type { CreateRegionOptions, Machine, RegionInfo } from '../../machine/index.js';
import { integerArgument } from '../arguments/numbers.js';
import { positiveSizeArgument, sizeArgument } from '../arguments/size.js';
import type { Context } from '../context.js';
import { UsageError } from '../errors.js';
import { withExistingMachine, withMachine } from '../opening.js';
import { hex, humanSize } from '../output/human.js';

interface CreateRegionFlags {
  size?: string;
  ram?: string;
  align?: string;
  backing?: string;
  offset?: string;
  type?: string;
  static?: boolean;
  sparse?: boolean;
  nonCoherent?: boolean;
}

/** `udax create-region` */
export function createRegion(context: Context, _args: string[], flags: CreateRegionFlags): void {
  const options = regionOptions(flags);
  const region = withMachine(context, (machine) => machine.createRegion(options));
  context.show(region, () => describeRegion(region));
}

function regionOptions(flags: CreateRegionFlags): CreateRegionOptions {
  const options = memoryOptions(flags);
  if (flags.align !== undefined) options.align = positiveSizeArgument(flags.align, '-a ALIGN');
  if (flags.offset !== undefined) {
    if (flags.backing === undefined)
      throw new UsageError('--offset is a place in a backing: name it with -b');
    options.offset = sizeArgument(flags.offset, '--offset N');
  }
  if (flags.type !== undefined) {
    if (flags.type !== 'device' && flags.type !== 'kmem') {
      throw new UsageError(`--type "${flags.type}" is neither device nor kmem`);
    }
    options.type = flags.type;
  }
  if (flags.static) options.static = true;
  if (flags.sparse) options.sparse = true;
  if (flags.nonCoherent) options.coherent = false;
  return options;
}

/** Reads how much memory, and where it lies. @throws UsageError no size, or two */
function memoryOptions({ size, ram, backing, sparse }: CreateRegionFlags): CreateRegionOptions {
  if (ram !== undefined) {
    if (size !== undefined || backing !== undefined || sparse)
      throw new UsageError('--ram SIZE says how much and where: leave out -s, -b and --sparse');
    return { size: positiveSizeArgument(ram, '--ram SIZE'), ram: true };
  }
  if (size === undefined)
    throw new UsageError('create-region needs -s SIZE, like -s 1GiB, or --ram SIZE for memory in /dev/shm');
  const options: CreateRegionOptions = { size: positiveSizeArgument(size, '-s SIZE') };
  if (backing !== undefined) options.backing = backingArgument(backing, size);
  return options;
}

/** A file is made by its owner, not by us: a mistyped name must not become one. */
function backingArgument(path: string, size: string): string {
  if (!isMissing(path)) return path;
  return fail(
    'ENOENT',
    `${path} is not there\nMake it: truncate -s ${size.replace(/i?B$/, '')} ${path} (in /dev/shm it is memory), or leave -b out: ` +
      `the machine makes a file of its own (--ram ${size} instead of -s and -b: one in /dev/shm)`,
    { path },
  );
}

function isMissing(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined;
  } catch {
    return false; // this user may not look: opening it tells why
  }
}

function describeRegion(region: RegionInfo): string {
  const kind = `${region.static ? 'static' : 'dynamic'} ${region.type} region ${region.id}`;
  const at = `${humanSize(region.size)} at ${hex(region.hpa)}`;
  return `${kind}: ${at}, device ${region.devices.join(', ')}, memory in ${region.backing.path}${
    region.backing.ram ? ' (RAM: gone after a restart of the host)' : ''
  }`;
}

/** Destroying a region removes its memory, so a file system on it is lost only with -f, as with mkfs. */
function refuseToLoseFiles(machine: Machine, id: number): void {
  for (const device of machine.devices().filter(({ region, mode }) => region === id && mode === 'famfs')) {
    if (!hasFileSystem(machine.device(device.name))) continue;
    fail('EEXIST', `region ${id} has a famfs on ${device.name}: -f destroys the region and all its files`);
  }
}

/** `udax destroy-region` */
export function destroyRegion(context: Context, [text = '']: string[], flags: { force?: boolean }): void {
  const id = integerArgument(text, 'region ID');
  withExistingMachine(context, (machine) => {
    if (!flags.force) refuseToLoseFiles(machine, id);
    machine.destroyRegion(id, { force: flags.force ?? false });
  });
  context.show({ id, destroyed: true }, () => `region ${id} is gone`);
}
