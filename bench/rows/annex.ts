import { type MachineDevice, mountFamfs, openMachine } from '../../src/index.js';
import {
  atMost,
  interleave,
  type Row,
  settled,
  significant,
  timeMs,
  withBenchDirectory,
} from '../harness.js';
import { makePool } from '../pool.js';

const CHANGES = 5000;
const ENTRIES = 15_000;

/** K4: what a record of the annex costs, against a log entry; and what a mount costs that has as many of both. */
export function annex(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const pool = makePool(directory, 'annex', { size: '64GiB', sparse: true });
    const { volume } = pool;
    const perChange = (from: number, act: (path: string) => void): number =>
      (1000 *
        timeMs(() => {
          for (let i = from; i < from + CHANGES; i++) act(`/f-${i}`);
        })) /
      CHANGES;
    const logged: number[] = [];
    const noted: number[] = [];
    for (let from = 0; from < ENTRIES; from += CHANGES)
      logged.push(perChange(from, (path) => volume.mkdir(path)));
    const machine = openMachine(pool.root);
    const device = machine.device(pool.device);
    const without = await interleave(9, { udax: () => timeMs(() => mountOnce(device, ENTRIES)) });
    for (let from = 0; from < ENTRIES; from += CHANGES)
      noted.push(perChange(from, (path) => volume.rename(path, `${path}-renamed`)));
    const both = await interleave(9, { udax: () => timeMs(() => mountOnce(device, ENTRIES)) });
    machine.close();
    pool.close();
    const [entry, record] = [settled(logged), settled(noted)];
    return [
      {
        id: 'K4',
        name: 'a record of the annex (rename), as a multiple of a log entry (mkdir)',
        ...atMost(record / entry, 1.2),
        unit: 'x',
        reference: `mkdir ${significant(entry)} us, rename ${significant(record)} us`,
        backing,
      },
      {
        id: 'K4',
        name: 'mount with 15,000 entries and 15,000 records, as a multiple of the entries alone',
        ...atMost(both.udax! / without.udax!, 2),
        unit: 'x',
        reference: `${significant(without.udax!)} ms without, ${significant(both.udax!)} ms with them`,
        backing,
      },
    ];
  });
}

function mountOnce(device: MachineDevice, directories: number): void {
  const volume = mountFamfs(device, { readOnly: true });
  if (volume.statfs().directories < directories) throw new Error('not all of them are there');
  volume.close();
}
