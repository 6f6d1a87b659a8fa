import { join } from 'node:path';
import { type Machine, mkfs, mountFamfs, openMachine, type Volume } from '../src/index.js';

/** A machine with one famfs device of `size`, mounted as its master. */
export interface Pool {
  root: string;
  device: string;
  machine: Machine;
  volume: Volume;
  close(): void;
}

export interface PoolOptions {
  size: string;
  logLength?: number;
  /** Allocates no space up front: for huge devices that are hardly used. */
  sparse?: boolean;
}

export function makePool(directory: string, name: string, options: PoolOptions): Pool {
  const root = join(directory, name);
  const machine = openMachine(root, { create: true });
  const region = machine.createRegion({ size: options.size, sparse: options.sparse ?? false });
  const device = region.devices[0]!;
  machine.reconfigure(device, 'famfs');
  mkfs(machine.device(device), options.logLength === undefined ? {} : { logLength: options.logLength });
  const volume = mountFamfs(machine.device(device));
  return {
    root,
    device,
    machine,
    volume,
    close() {
      volume.close();
      machine.close();
    },
  };
}
