import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { Bus } from '../../src/dax/index.js';
import { MAP_NORESERVE, MAP_PRIVATE, mmap, munmap, PROT_READ, PROT_WRITE } from '../../src/libc/index.js';
import { PageTable } from '../../src/mm/index.js';
import { atMost, interleave, type Row, settled, timeMs, withBenchDirectory } from '../harness.js';
import { makePool } from '../pool.js';

const TIB = 2 ** 40;
const PAGES_PER_SECTION = 512;
const SECTIONS_PER_TIB = TIB / 2 ** 21;
const FIRST_PFN = TIB / 4096;

/** B1: the cost of folio state at rest, touched and cleared; B2: bind and unbind; B3: map and unmap of 1 GiB. */
export async function folios(): Promise<Row[]> {
  const touched = Math.ceil(SECTIONS_PER_TIB / 100);
  const mapping = { name: 'bench' };
  const atRest = new PageTable().stats().bytes;
  const clears: number[] = [];
  let bytesPerSection = 0;
  for (let round = -2; round < 9; round++) {
    const table = new PageTable();
    for (let i = 0; i < touched; i++)
      table.associate(FIRST_PFN + i * 100 * PAGES_PER_SECTION, 9, mapping, i * PAGES_PER_SECTION);
    bytesPerSection = table.stats().bytes / touched;
    const ms = timeMs(() => table.clear(FIRST_PFN, TIB / 4096));
    if (table.stats().sections !== 0) throw new Error('clear left state behind');
    if (round >= 0) clears.push(ms);
  }
  const heapPerSection = measureHeapPerSection(touched);
  const backing = 'no memory (model)';
  const reference = `the kernel keeps 64 B a page: ${(TIB / 4096) * 64} B for 1 TiB; ${touched} sections touched here`;
  return [
    { id: 'B1', name: 'folio state of 1 TiB at rest', ...atMost(atRest, 0), unit: 'B', reference, backing },
    {
      id: 'B1',
      name: 'folio state per touched 2 MiB section, own count',
      ...atMost(bytesPerSection, 200),
      unit: 'B',
      reference,
      backing,
    },
    {
      id: 'B1',
      name: 'folio state per touched 2 MiB section, heap growth',
      ...atMost(heapPerSection, 200),
      unit: 'B',
      reference,
      backing,
    },
    {
      id: 'B1',
      name: 'clearing 1 TiB after touching 1 %',
      ...atMost(settled(clears), 1),
      unit: 'ms',
      reference,
      backing,
    },
    await bindAndUnbind(),
    await mapAndUnmap(),
  ];
}

function measureHeapPerSection(touched: number): number {
  const collect = globalThis.gc ?? (() => {});
  const mapping = { name: 'bench' };
  collect();
  const before = process.memoryUsage();
  const table = new PageTable();
  for (let i = 0; i < touched; i++)
    table.associate(FIRST_PFN + i * 100 * PAGES_PER_SECTION, 9, mapping, i * PAGES_PER_SECTION);
  collect();
  const after = process.memoryUsage();
  if (table.stats().sections !== touched) throw new Error('sections are missing');
  return (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / touched;
}

async function bindAndUnbind(): Promise<Row> {
  const bus = new Bus();
  for (const name of ['device_dax', 'fsdev_dax']) bus.insmod(name);
  bus.addRegion({ type: 'device', start: TIB, size: 2 ** 30, align: 2 ** 21, targetNode: 1 });
  bus.unbind('device_dax', 'dax0.0');
  const rounds = 200;
  const ms = await interleave(9, {
    fsdev: () => {
      bus.newId('fsdev_dax', 'dax0.0');
      bus.unbind('fsdev_dax', 'dax0.0');
      return timeMs(() => {
        for (let i = 0; i < rounds; i++) {
          bus.bind('fsdev_dax', 'dax0.0');
          bus.unbind('fsdev_dax', 'dax0.0');
        }
      });
    },
  });
  return {
    id: 'B2',
    name: 'bind + unbind of fsdev_dax',
    ...atMost(ms.settled('fsdev', 1000 / rounds), 200),
    unit: 'us',
    reference: 'the bus model alone, 1 GiB device',
    backing: 'no memory (model)',
  };
}

/** The cost of open, map and close of a file, minus that of a bare mmap and munmap of the same size. */
function mapAndUnmap(): Promise<Row> {
  return withBenchDirectory(async (directory, backing) => {
    const bytes = 2 ** 30;
    const pool = makePool(directory, 'map', { size: '1200MiB' });
    pool.volume.create('/big', { size: bytes, zero: false }).close();
    const fd = openSync(join(pool.root, 'regions', '0.mem'), 'r+');
    const ms = await interleave(151, {
      file: () =>
        timeMs(() => {
          const file = pool.volume.open('/big');
          file.map();
          file.close();
        }),
      calls: () =>
        timeMs(() =>
          munmap(mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 2 ** 24), bytes),
        ),
    });
    closeSync(fd);
    pool.close();
    return {
      id: 'B3',
      name: 'open + map + unmap of a 1 GiB file, beyond the system calls',
      ...atMost({ value: Math.max(0, ms.ms('file') - ms.ms('calls')), spread: ms.settled('file').spread }, 1),
      unit: 'ms',
      reference: `all of it ${ms.ms('file').toFixed(3)} ms; bare mmap + munmap ${ms.ms('calls').toFixed(3)} ms`,
      backing,
    };
  });
}
