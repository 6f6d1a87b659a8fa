/** Finds out from /proc whether other processes use a file system, also one that is in no table of mounts any more. */
import { readFileSync, statSync } from 'node:fs';
import { descriptorsOf, numbersIn } from '../../../libc/index.js';

/**
 * Whether a process other than this one has a file of a file system open or mapped, or works in a directory of it. True when that cannot
 * be looked at.
 * @param minor of the file system's device number, whose major is 0
 */
export function isUsedByOthers(minor: number): boolean {
  const used = { device: (minor & 0xff) + (minor & ~0xff) * 2 ** 12, mapped: ` 00:${hex(minor)} ` };
  try {
    return numbersIn('/proc').some((pid) => pid !== String(process.pid) && usesIt(`/proc/${pid}`, used));
  } catch {
    return true;
  }
}

const hex = (minor: number) => minor.toString(16).padStart(2, '0');

function usesIt(process: string, { device, mapped }: { device: number; mapped: string }): boolean {
  if (textOf(`${process}/maps`).includes(mapped)) return true;
  const places = [`${process}/cwd`, `${process}/root`];
  for (const fd of descriptorsOf(process)) places.push(`${process}/fd/${fd}`);
  return places.some((place) => deviceOf(place) === device);
}

/** '' when the process has ended, or may not be looked into. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

function deviceOf(place: string): number {
  try {
    return statSync(place).dev;
  } catch {
    return -1; // gone meanwhile, or closed to this process
  }
}
