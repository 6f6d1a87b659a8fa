import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { SmallReader } from '../../src/libc/index.js';
import {
  atLeast,
  interleave,
  type Row,
  significant,
  timeMs,
  timeMsAsync,
  withBenchDirectory,
} from '../harness.js';
import { makePool } from '../pool.js';

const MIB = 2 ** 20;
const UNIT = 2 * MIB;
const DIRECTORIES = 50;
const FILES_EACH = 100;
const FILES = DIRECTORIES * FILES_EACH;
const ROUNDS = 5;
/** Cost of one append in C famfs with an 8 MiB log (it flushes the whole log), measured elsewhere. */
const C_APPEND_MS = 16;

/**
 * C3: a tree of 5,000 small files onto a volume, beside `cp -r` into tmpfs, and beside the bare calls that any copy makes: open, statx,
 * pread and close of each source, and pwrite of its bytes into a fresh unit.
 */
export function treeIn(): Promise<Row[]> {
  return withBenchDirectory(async (directory, backing) => {
    const tree = join(directory, 'tree');
    const names = makeTree(tree);
    const pool = makePool(directory, 'copies', { size: '128GiB', sparse: true, logLength: 64 * MIB });
    const sources = names.map((name) => join(tree, name));
    let round = 0;
    const ms = await interleave(ROUNDS, {
      udax: () => {
        const top = `/copy-${round++}`;
        const copies = names.map((name, i) => ({ source: sources[i]!, destination: `${top}/${name}` }));
        return timeMsAsync(async () => {
          pool.volume.mkdir(top);
          for (let d = 0; d < DIRECTORIES; d++) pool.volume.mkdir(`${top}/d${d}`);
          await pool.volume.copyManyIn(copies);
        });
      },
      cp: () => timeMs(() => void execFileSync('cp', ['-r', tree, join(directory, `cp-${round}`)])),
      calls: () => bareCalls(sources, join(directory, `bare-${round}`)),
    });
    pool.close();
    const [udax, cp, calls] = [ms.ms('udax'), ms.ms('cp'), ms.ms('calls')];
    const reachable = significant(Math.min(2, (0.5 * cp) / calls));
    return [
      {
        id: 'C3',
        name: 'copy of 5,000 small files, speed vs the appends of C famfs alone',
        ...atLeast({ value: (C_APPEND_MS * FILES) / udax, spread: ms.settled('udax').spread }, 5),
        unit: 'x',
        reference: `${C_APPEND_MS} ms an append: ${C_APPEND_MS * FILES} ms; udax ${significant(udax)} ms for all`,
        backing,
      },
      {
        id: 'C3',
        name: 'copy of a tree of 5,000 small files, speed vs cp -r to tmpfs',
        ...atLeast(ms.ratio('cp', 'udax'), reachable),
        unit: 'x',
        reference:
          `cp -r ${significant((1000 * cp) / FILES)} us a file, udax ${significant((1000 * udax) / FILES)}, the bare calls alone ` +
          `${significant((1000 * calls) / FILES)} (goal: 2 x, or half as fast as the calls)`,
        backing,
      },
    ];
  });
}

/** @returns the files, from the top of the tree */
function makeTree(tree: string): string[] {
  const names: string[] = [];
  for (let d = 0; d < DIRECTORIES; d++) {
    mkdirSync(join(tree, `d${d}`), { recursive: true });
    for (let f = 0; f < FILES_EACH; f++) {
      names.push(`d${d}/f${f}`);
      writeFileSync(join(tree, `d${d}/f${f}`), `file ${d} ${f}\n`.repeat(50));
    }
  }
  return names;
}

function bareCalls(sources: readonly string[], into: string): number {
  const reader = new SmallReader(64 * 1024);
  const out = openSync(into, 'w');
  ftruncateSync(out, FILES * UNIT);
  const ms = timeMs(() => {
    for (const [i, source] of sources.entries()) {
      const fd = openSync(source, 'r');
      const { size } = reader.stat(fd, source);
      reader.read(fd, source, { at: 0, length: size });
      closeSync(fd);
      writeSync(out, reader.bytes, 0, size, i * UNIT);
    }
  });
  closeSync(out);
  return ms;
}
