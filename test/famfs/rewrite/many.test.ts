/** Taking back 5,000 of 10,000 files copies nothing: the others lie where they lay, with the same bytes. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Volume } from '../../../src/famfs/index.js';
import { MIB, Pool, UNIT } from '../volume/support.js';

const FILES = 10_000;
let pool: Pool;
beforeEach(() => {
  pool = new Pool({ size: (FILES + 16) * UNIT });
});
afterEach(() => pool.close());

const name = (i: number) => `/d${i % 10}/f${i}`;
const content = (i: number) => Buffer.alloc(100 + (i % 4000), `content of ${i} `);

/** One digest over all files of these numbers: name, place and bytes. */
function digest(volume: Volume, numbers: readonly number[]): string {
  const hash = createHash('sha256');
  for (const i of numbers) {
    const file = volume.open(name(i));
    const bytes = new Uint8Array(file.size);
    file.read(bytes, 0);
    hash.update(`${name(i)} ${JSON.stringify(file.fmap)} `).update(bytes);
    file.close();
  }
  return hash.digest('hex');
}

it('the sha256 of all that survive is the same, and their places are', async () => {
  const volume = pool.mount();
  for (let d = 0; d < 10; d++) volume.mkdir(`/d${d}`);
  for (let i = 0; i < FILES; i++) {
    const bytes = content(i);
    const file = volume.create(name(i), { size: bytes.length, zero: false });
    file.write(bytes, 0);
    file.close();
  }
  const numbers = Array.from({ length: FILES }, (_, i) => i);
  const survivors = numbers.filter((i) => i % 2 === 0);
  const before = digest(volume, survivors);
  const { free, lostToRounding } = volume.statfs();
  const result = await volume.rewrite({ remove: numbers.filter((i) => i % 2 === 1).map(name) });
  expect(result).toMatchObject({
    removed: { files: FILES / 2 },
    movedBytes: 0,
    freedBytes: (FILES / 2) * UNIT,
  });
  expect(digest(volume, survivors)).toBe(before);
  const bytes = survivors.reduce((sum, i) => sum + content(i).length, 0);
  expect(volume.statfs()).toMatchObject({
    free: free + (FILES / 2) * UNIT,
    files: FILES / 2,
    metadata: 10 * MIB,
    fileBytes: bytes,
    lostToRounding: (FILES / 2) * UNIT - bytes,
  });
  expect(lostToRounding).toBeGreaterThan((FILES / 2) * UNIT);
  volume.close();
  const again = pool.mount({ readOnly: true });
  expect(digest(again, survivors)).toBe(before);
  expect(pool.fsck()).toEqual([]);
});
