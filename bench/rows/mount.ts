import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { mountFamfs } from '../../src/index.js';
import {
  atMost,
  interleave,
  median,
  type Row,
  settled,
  significant,
  timeMs,
  withBenchDirectory,
} from '../harness.js';

const ENTRIES = 15_000;
const goldenImage = fileURLToPath(
  new URL('../../../conformance/famfs/06-large-15000.img.gz', import.meta.url),
);
const coldMount = fileURLToPath(new URL('../children/cold-mount.js', import.meta.url));

/** P5: mount of a volume with 15,000 entries, in a process that has mounted it before and in a new one. */
export function mount(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const path = join(directory, '06-large-15000.img');
    writeFileSync(path, gunzipSync(readFileSync(goldenImage)));
    const origin = 'image made by C famfs';
    const warm = await interleave(15, { udax: () => timeMs(() => mountOnce(path)) });
    const cold: number[] = [];
    const open: number[] = [];
    for (let run = 0; run < 7; run++) {
      const answer = execFileSync(process.execPath, [coldMount, path], { encoding: 'utf8' });
      const [openMs, mountMs] = JSON.parse(answer) as [number, number];
      open.push(openMs);
      cold.push(openMs + mountMs);
    }
    const coldReference = `${origin}; of it, opening the device (and koffi): ${significant(median(open))} ms`;
    const reference = `${origin}; device opened and closed each time`;
    return [
      {
        id: 'P5',
        name: 'mount of 15,000 entries, warm',
        ...atMost(warm.settled('udax'), 30),
        unit: 'ms',
        reference,
        backing,
      },
      {
        id: 'P5',
        name: 'device and mount of 15,000 entries, cold process',
        ...atMost(settled(cold), 40),
        unit: 'ms',
        reference: coldReference,
        backing,
      },
    ];
  });
}

function mountOnce(path: string): void {
  const volume = mountFamfs(path);
  const { files, directories } = volume.statfs();
  if (files + directories < ENTRIES) throw new Error(`only ${files + directories} entries are there`);
  volume.close();
}
