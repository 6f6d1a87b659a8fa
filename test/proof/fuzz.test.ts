// Hostile media, documents, requests and command lines: the short run of proof/fuzz, 20,000 cases (its README has the failure
// model). Found so far: fsck did not end with more buckets than the device has units (once all units of its first words were
// taken).
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { corpusOf, recipeOf } from '../../proof/fuzz/corpus.js';
import { shortCases } from '../../proof/fuzz/target.js';
import { controls, targets } from '../../proof/fuzz/targets/index.js';
import {
  bufferMedia,
  formatMedia,
  fsckMedia,
  Log,
  LogAppender,
  readSuperblock,
} from '../../src/famfs/index.js';

/** @returns the findings, each with the command that repeats it */
async function run(target: (typeof targets)[number], cases: number): Promise<string[]> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'udax-fuzz-'));
  const found: string[] = [];
  const corpus = corpusOf(target.name);
  target.open(directory);
  try {
    for (let index = 0; index < cases; index++) {
      try {
        await target.run(recipeOf(corpus, 0, index));
      } catch (error) {
        found.push(`npm run fuzz -- --target '${target.name}' --case ${index}: ${(error as Error).stack}`);
      }
    }
  } finally {
    target.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
  return found;
}

describe('hostile input', () => {
  for (const target of targets) {
    const { missing = '' } = target;
    const because = missing === '' ? '' : ` (skipped: ${missing})`;
    it.skipIf(missing !== '')(
      `${target.name}: refused with an errno or answered; never a crash${because}`,
      async () => {
        expect(await run(target, shortCases(target))).toEqual([]);
      },
    );
  }

  it('faults of the tool itself are found', async () => {
    for (const name of ['control: trusts a length', 'control: no errno', 'control: breaks its promise']) {
      const control = controls.find((target) => target.name === name)!;
      expect((await run(control, 64)).length, name).toBeGreaterThan(0);
    }
  });
});

describe('fsck of a device with fewer units than buckets', () => {
  it('ends, and its buckets hold nothing', () => {
    const unit = 2 ** 21;
    const media = bufferMedia(new Uint8Array(10 * 2 ** 20), { name: 'image', size: 32 * unit });
    formatMedia(media, { systemUuid: '11111111-2222-4333-8444-555555555555' });
    const appender = new LogAppender(Log.open(media, readSuperblock(media)));
    const extents = [{ devindex: 0, offset: 5 * unit, length: 27 * unit }];
    appender.append({
      kind: 'file',
      path: 'all',
      size: 27 * unit,
      uid: 0,
      gid: 0,
      mode: 0o644,
      fmap: { type: 'simple', extents },
    });
    const { buckets } = fsckMedia(media, { buckets: 64 });
    expect(buckets).toMatchObject({ overhang: 32 * unit });
    expect(buckets!.buckets.every(({ size, free, inUse }) => size + free + inUse === 0)).toBe(true);
  });
});
