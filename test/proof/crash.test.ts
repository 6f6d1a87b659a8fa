/**
 * The short form of `npm run crash`: a part of every operation's crashes, and all mutants. What it has found, and what is right:
 * - copyIn onto a file of the same size returned before its bytes were flushed. Now they are in memory when it returns.
 * - createQueue could leave files without headers, whose names could not be used again. Now the files appear with headers, and
 *   the next call completes them.
 * - A power cut after a machine or region was made could leave a machine.json whose directories or memory were not on the disk.
 *   Now those are made durable first.
 * - A power cut after a region was destroyed could leave its memory under its old name, so that no region could be made there
 *   again. Now the memory is marked first.
 */
import { describe, expect, it } from 'vitest';
import { isGood, operations, type Row, shortRun } from '../../proof/crash/run.js';
import { jsonOf, remarks } from '../../proof/crash/text.js';

/** The smallest run, for kinds of memory whose crashes are those of another kind. */
const least = { lines: 2, samples: 1, everyTear: 60, variants: 1 };

async function shortRows(name: string): Promise<Row[]> {
  const operation = operations.find((each) => each.name === name)!;
  const rows: Row[] = [];
  for (const under of operation.under) {
    const effort = under === 'pmem' || under === 'files' ? shortRun : least;
    const hasMutants = operation.mutants.some((mutant) => mutant.under === under);
    if (effort === shortRun || hasMutants) rows.push(await operation.run(under, { seed: 1, ...effort }));
  }
  return rows;
}

describe('a crash at any point', () => {
  it.each(operations.map(({ name, about }) => [name, about]))(
    'of %s leaves what was before it or after it (%s)',
    async (name) => {
      const rows = await shortRows(name);
      expect(rows.filter((row) => !isGood(row)).flatMap((row) => remarks(row))).toEqual([]);
      expect(rows.every(({ points, states }) => points > 2 && states > 4)).toBe(true);
      expect(rows.flatMap(({ redundant }) => redundant)).toEqual([]);
    },
  );

  it.each(['append', 'overwrite', 'pcq-put', 'reconfigure'])(
    'of %s is played the same way twice, to the byte',
    async (name) => {
      const text = async () => (await shortRows(name)).map((row) => jsonOf(row, 'short')).join('\n');
      expect(await text()).toBe(await text());
    },
  );
});
