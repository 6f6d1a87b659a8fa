/** The resources of a process, and whether they keep rising. */
import fs from 'node:fs';

/** The resources of one process between two epochs, when it has closed everything. */
export interface Figures {
  heapUsed: number;
  external: number;
  arrayBuffers: number;
  rss: number;
  descriptors: number;
  /** Lines of /proc/self/maps. */
  mappings: number;
  /** The mappings of the machine's memory. */
  memoryMappings: number;
  /** Open-file-description locks of its descriptors. */
  locks: number;
}

export type Figure = keyof Figures;

const MIB = 2 ** 20;

/** Allowance for noise: what all epochs together may add, in bytes or as a count. */
export const allowances: Record<Figure, number> = {
  heapUsed: 8 * MIB,
  external: 2 * MIB,
  arrayBuffers: MIB,
  rss: 96 * MIB,
  descriptors: 0.5,
  mappings: 200,
  memoryMappings: 0.5,
  locks: 0.5,
};

/** @param place directory of the machine's memory */
export function figuresNow(place: string): Figures {
  const { heapUsed, external, arrayBuffers, rss } = process.memoryUsage();
  const maps = fs.readFileSync('/proc/self/maps', 'latin1').split('\n');
  const descriptors = fs.readdirSync('/proc/self/fd');
  return {
    heapUsed,
    external,
    arrayBuffers,
    rss,
    // One descriptor was open to read the directory.
    descriptors: descriptors.length - 1,
    mappings: maps.length - 1,
    memoryMappings: maps.filter((line) => line.includes(place)).length,
    locks: descriptors.reduce((sum, fd) => sum + locksOf(fd), 0),
  };
}

function locksOf(fd: string): number {
  try {
    return fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1').match(/^lock:/gm)?.length ?? 0;
  } catch {
    return 0;
  }
}

/** The median of the slopes between all pairs of values, per epoch. */
export function slopeOf(values: readonly number[]): number {
  const slopes: number[] = [];
  for (let i = 0; i < values.length; i++) {
    for (let j = i + 1; j < values.length; j++) slopes.push((values[j]! - values[i]!) / (j - i));
  }
  slopes.sort((a, b) => a - b);
  return slopes.length === 0 ? 0 : slopes[Math.floor(slopes.length / 2)]!;
}

/**
 * Returns the figures that rise by more than their allowance, with the rise per epoch.
 * @param known rise per epoch that has a reason outside udax
 */
export function risingFigures(
  epochs: readonly Figures[],
  known: Partial<Record<Figure, number>> = {},
): { figure: Figure; slope: number }[] {
  return (Object.keys(allowances) as Figure[])
    .map((figure) => ({ figure, slope: slopeOf(epochs.map((one) => one[figure])) - (known[figure] ?? 0) }))
    .filter(({ figure, slope }) => slope * epochs.length > allowances[figure]);
}
