import { inject } from 'vitest';
import type { VmAssets } from './assets.js';

export { GuestError } from './connection.js';
export { type GuestProcess, type Outcome, VirtualMachine } from './machine.js';
export { SharedMemoryFile } from './memory-file.js';
export { type GuestPython, whyNoPython, withPython } from './python.js';

export const MIB = 2 ** 20;

/** The files that this run's VMs boot from: with the kernel of this machine's distribution, and with newer ones. */
export const { own: assets, backported, 'extent-maps': extentMaps } = inject('vm');
/** Whether no VM can be booted here. */
export const noVms = assets.reason !== '';
/** Suffix for titles, so that skipped tests say why. */
export const because = reasonOf(assets);

export function reasonOf({ reason }: VmAssets): string {
  return reason === '' ? '' : ` (skipped: ${reason})`;
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
