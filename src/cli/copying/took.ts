import type { VolumeUsage } from '../../famfs/index.js';
import { count, humanSize } from '../output/human.js';

/** What a copy took of a volume: units are whole, so many small files take far more than they have bytes. */
export interface Taken {
  allocUnit: number;
  units: number;
  /** Bytes of these units. */
  bytes: number;
  lostToRounding: number;
  logEntries: number;
  add(usage: VolumeUsage): void;
}

export function noneTaken(allocUnit: number): Taken {
  const taken = { allocUnit, units: 0, bytes: 0, lostToRounding: 0, logEntries: 0 };
  // Not enumerable: it is no part of the document.
  return Object.defineProperty(taken as Taken, 'add', {
    value: ({ taken: bytes, lostToRounding, logEntries }: VolumeUsage) => {
      taken.units += bytes / allocUnit;
      taken.bytes += bytes;
      taken.lostToRounding += lostToRounding;
      taken.logEntries += logEntries;
    },
  });
}

export function tookText({ allocUnit, units, bytes, lostToRounding, logEntries }: Taken): string {
  return (
    `${count(units, 'unit')} of ${humanSize(allocUnit)} (${humanSize(bytes)}, ${humanSize(lostToRounding)} of them lost ` +
    `to rounding) and ${count(logEntries, 'log entry', 'log entries')}`
  );
}
