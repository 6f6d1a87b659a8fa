/** How the processes of a protocol open their machines and volumes. */
import fs from 'node:fs';
import {
  type Machine,
  type MountOptions,
  mountFamfs,
  openMachine,
  type Volume,
  type VolumeFile,
} from '../../../src/index.js';
import type { Actor, Told, World } from '../types.js';

export interface Mounted {
  machine: Machine;
  volume: Volume;
}

/** The machine of a process's host. For a host with its own caches, a machine is made over its cache file. */
export function machineOf(world: World, me: 0 | 1): Machine {
  const cache = world.caches?.[me];
  if (cache === undefined || fs.existsSync(world.roots[me])) return openMachine(world.roots[me]);
  const machine = openMachine(world.roots[me], { create: true });
  machine.createRegion({ size: fs.statSync(cache.cache).size, backing: cache.cache, coherent: false });
  machine.reconfigure('dax0.0', 'famfs');
  return machine;
}

export function openMounted(world: World, me: 0 | 1, options: MountOptions = {}): Mounted {
  const machine = machineOf(world, me);
  try {
    return { machine, volume: mountFamfs(machine.device('dax0.0'), options) };
  } catch (error) {
    machine.close();
    throw error;
  }
}

export function closeMounted({ machine, volume }: Mounted): void {
  volume.close();
  machine.close();
}

/** An actor that has the volume mounted for as long as the world exists. */
export function onVolume(
  run: (volume: Volume, run: number, world: World) => unknown,
  options: MountOptions = {},
): Actor<Mounted> {
  return {
    open: (world, me) => openMounted(world, me, options),
    run: ({ volume }, number, world) => run(volume, number, world),
    close: closeMounted,
  };
}

/** An actor that has the machine open, and no device. */
export function onMachine(
  run: (machine: Machine, run: number, world: World) => unknown,
  after?: (machine: Machine, run: number) => void,
): Actor<Machine> {
  return {
    open: machineOf,
    run,
    ...(after && { after }),
    close: (machine) => machine.close(),
  };
}

export const codeOf = (told: Told): string | undefined => told.error?.code;
export const succeeded = (told: readonly Told[]): number => told.filter(({ error }) => !error).length;

export function textOf(file: VolumeFile): string {
  const bytes = Buffer.alloc(file.size);
  file.read(bytes, 0);
  return bytes.toString('latin1');
}

/** What is wrong with a file that must contain `text`. */
export function wrongContent(volume: Volume, path: string, text: string): string[] {
  if (!volume.exists(path)) return [`${path} was told and is not there`];
  const file = volume.open(path);
  try {
    const found = textOf(file);
    return found === text ? [] : [`${path} holds '${found.slice(0, 40)}', '${text}' was stored`];
  } finally {
    file.close();
  }
}
