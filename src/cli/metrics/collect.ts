/** Looks at machine, volumes, mounts and arenas, and stores nothing. What cannot be looked at is a 0 of its `up`, and a note. */
import { openArena } from '../../arena/index.js';
import type { Volume } from '../../famfs/index.js';
import { isError } from '../../libc/index.js';
import type { MachineStatus } from '../../machine/index.js';
import { volumeAddress } from '../arguments/address.js';
import { allMounts, type ShownMount } from '../commands/mounts.js';
import type { Context } from '../context.js';
import { withKernel, withMachineIfAny, withVolume } from '../opening.js';
import { packageFacts } from '../package-facts.js';
import { Exposition } from './exposition.js';
import { declareAll } from './names.js';

export interface MetricsOf {
  /** Devices whose volumes are told; an empty list: all of the machine that are in famfs mode; null: none. */
  devices: readonly string[] | null;
  /** DEVICE:/path of arenas. */
  arenas: readonly string[];
}

/** The metrics of now. */
export async function collect(context: Context, { devices, arenas }: MetricsOf): Promise<Exposition> {
  const found = new Exposition();
  declareAll(found);
  found.add('udax_build_info', { version: packageFacts().version, node: process.version.slice(1) }, 1);
  const inFamfs = tellMachine(context, found);
  for (const device of devices?.length === 0 ? inFamfs : (devices ?? []))
    attempt(
      context,
      `the volume of ${device}`,
      () => tellVolume(context, found, device),
      () => found.add('udax_volume_up', { device }, 0),
    );
  for (const arena of arenas)
    attempt(
      context,
      arena,
      () => tellArena(context, found, arena),
      () => {},
    );
  for (const mount of await allMounts(context.root)) tellMount(found, mount);
  return found;
}

function attempt(context: Context, what: string, act: () => void, failed: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isError(error)) throw error;
    failed();
    context.output.note(`udax: no metrics of ${what}: ${error.message.split('\n')[0]}`);
  }
}

/** @returns the devices that are in famfs mode */
function tellMachine(context: Context, found: Exposition): string[] {
  const status = context.kernel
    ? withKernel(context, (machine) => machine.status())
    : withMachineIfAny<MachineStatus | null>(context, null, (machine) => machine.status());
  if (status === null) return [];
  for (const { id, size, availableSize } of status.regions) {
    found.add('udax_region_size_bytes', { region: id }, size);
    found.add('udax_region_free_bytes', { region: id }, availableSize);
  }
  for (const { name, size, mode, state } of status.devices) {
    found.add('udax_device_size_bytes', { device: name, mode, state }, size);
    if (!('poison' in status)) continue;
    const holders = status.holders.filter(({ device }) => device === name);
    found.add('udax_device_holders', { device: name }, holders.length);
    const poison = status.poison.filter(({ device }) => device === name);
    found.add(
      'udax_device_poison_bytes',
      { device: name },
      poison.reduce((sum, { length }) => sum + length, 0),
    );
  }
  return status.devices
    .filter(({ mode, state }) => mode === 'famfs' && state === 'enabled')
    .map(({ name }) => name);
}

function tellVolume(context: Context, found: Exposition, device: string): void {
  withVolume(context, device, { readOnly: true }, (volume: Volume) => {
    const space = volume.statfs();
    const tell = (name: string, value: number) => found.add(`udax_volume_${name}`, { device }, value);
    tell('up', 1);
    tell('master', volume.role === 'master' ? 1 : 0);
    tell('size_bytes', space.size);
    tell('used_bytes', space.used);
    tell('free_bytes', space.free);
    tell('unit_bytes', space.allocUnit);
    tell('metadata_bytes', space.metadata);
    tell('file_bytes', space.fileBytes);
    tell('rounding_bytes', space.lostToRounding);
    tell('reserved_bytes', space.reserved);
    tell('reclaimable_bytes', space.reclaimable);
    tell('files', space.files);
    tell('directories', space.directories);
    tell('log_slots', space.logSlots);
    tell('log_used', space.logUsed);
    tell('annex_slots', space.annexSlots);
    tell('annex_used', space.annexUsed);
    tell('annex_records', space.annexRecords);
    tell('problems', volume.problems.length);
  });
}

function tellArena(context: Context, found: Exposition, where: string): void {
  const { device, path } = volumeAddress(where);
  withVolume(context, device, { readOnly: true }, (volume) => {
    const arena = openArena(volume, path, { readOnly: true });
    try {
      const stats = arena.stats();
      const tell = (name: string, value: number) => found.add(`udax_arena_${name}`, { arena: where }, value);
      tell('heap_bytes', stats.heap);
      tell('used_bytes', stats.used);
      tell('reserved_bytes', stats.reserved);
      tell('limbo_bytes', stats.limbo);
      tell('free_bytes', stats.free);
      tell('objects', stats.objects);
      tell('members', stats.members.length);
      for (const name of ['puts', 'deletes', 'evictions', 'expirations'] as const) tell(name, stats[name]);
    } finally {
      arena.close();
    }
  });
}

function tellMount(found: Exposition, { mountpoint, what, state }: ShownMount): void {
  if (state === 'unseen') return;
  const isServed = state === 'served' || state === 'detached';
  found.add('udax_mount_up', { mountpoint, what, state }, isServed ? 1 : 0);
}
