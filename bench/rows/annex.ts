import { type MachineDevice, mountFamfs, openMachine } from '../../src/index.js';
import {
  atMost,
  interleave,
  median,
  quotient,
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
    const noted = { rename: [] as number[], chmod: [] as number[] };
    for (let from = 0; from < ENTRIES; from += CHANGES)
      logged.push(perChange(from, (path) => volume.mkdir(path)));
    const machine = openMachine(pool.root);
    const device = machine.device(pool.device);
    for (let from = 0; from < ENTRIES; from += CHANGES)
      noted.rename.push(perChange(from, (path) => volume.rename(path, `${path}-renamed`)));
    const mounting = (plain: boolean) => () =>
      timeMs(() => mountFamfs(device, { readOnly: true, plain }).close());
    // Without the annex the same log is replayed: in turns, so that the machine's drift meets both.
    const ms = await interleave(31, { without: mounting(true), both: mounting(false) });
    mustShowAll(device);
    for (let from = 0; from < ENTRIES; from += CHANGES)
      noted.chmod.push(perChange(from, (path) => volume.chmod(`${path}-renamed`, 0o700)));
    machine.close();
    pool.close();
    const [entry, rename, chmod] = [median(logged), median(noted.rename), median(noted.chmod)];
    const records = logged.map((_, i) => (noted.rename[i]! + noted.chmod[i]!) / 2);
    return [
      {
        id: 'K4',
        name: 'a record of the annex (rename and chmod, half each), as a multiple of a log entry (mkdir)',
        ...atMost(quotient(settled(records), settled(logged)), 1.2),
        unit: 'x',
        reference: `mkdir ${significant(entry)} us, rename ${significant(rename)} us, chmod ${significant(chmod)} us`,
        backing,
      },
      {
        id: 'K4',
        name: 'mount with 15,000 entries and 15,000 records, as a multiple of the entries alone',
        ...atMost(ms.ratio('both', 'without'), 2),
        unit: 'x',
        reference: `${significant(ms.ms('without'))} ms without, ${significant(ms.ms('both'))} ms with them`,
        backing,
      },
    ];
  });
}

function mustShowAll(device: MachineDevice): void {
  const volume = mountFamfs(device, { readOnly: true });
  const names = volume.readdir('/');
  if (names.length !== ENTRIES || names.some((name) => !name.endsWith('-renamed')))
    throw new Error(`${names.length} of ${ENTRIES} are there: ${names.slice(0, 3)}, ${names.slice(-3)}`);
  volume.close();
}
