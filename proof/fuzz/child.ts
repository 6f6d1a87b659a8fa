// A process that runs cases of one target. It writes lines of JSON to stdout now and then. It may crash or hang; its parent
// notices.
// Argument: { target, from, to, seed, isLearning, directory }
import fs from 'node:fs';
import { corpusOf, type Recipe, recipeOf, saveCorpus } from './corpus.js';
import { Coverage } from './coverage.js';
import { controls, targets } from './targets/index.js';

export interface Asked {
  target: string;
  from: number;
  to: number;
  seed: number;
  isLearning: boolean;
  directory: string;
}

const CASE_MILLISECONDS = 2000;
const CASE_BYTES = 64 * 2 ** 20;
const MOST_LOOKS = 100;
const BATCH = 256;

const asked = JSON.parse(process.argv[2]!) as Asked;
const target = [...targets, ...controls].find(({ name }) => name === asked.target)!;
const corpus: Recipe[] = corpusOf(target.name);
const say = (line: unknown) => fs.writeSync(1, `${JSON.stringify(line)}\n`);
const taken = () => {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
};

target.open(asked.directory);
const coverage = asked.isLearning ? new Coverage() : null;
coverage?.start();

/** @returns the finding, or undefined */
async function runCase(recipe: Recipe): Promise<string | undefined> {
  const started = process.cpuUsage();
  try {
    await target.run(recipe);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  // Of the processor's time: on a busy machine the clock says little. What waits for ever is ended by the parent. The first time
  // the code may have been cold, so a case is slow only when it is slow a second time.
  if (millisecondsSince(started) > CASE_MILLISECONDS) {
    const again = process.cpuUsage();
    await target.run(recipe);
    const took = millisecondsSince(again);
    if (took > CASE_MILLISECONDS) return `it takes ${Math.round(took)} ms`;
  }
  return undefined;
}

function millisecondsSince(started: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(started);
  return (user + system) / 1000;
}

const learned: Recipe[] = [...corpus];

/** Finds the cases of a batch that reached new blocks: each runs once more, alone. */
async function learn(seen: Coverage, from: number, to: number): Promise<void> {
  if (seen.look().length === 0) return;
  for (let index = from; index < to; index++) {
    const recipe = recipeOf(corpus, asked.seed, index);
    await runCase(recipe);
    const blocks = seen.look();
    if (blocks.length === 0) continue;
    seen.keep(blocks);
    if (index >= corpus.length) learned.push(recipe);
  }
}

// The number of the running case is kept in a file, which survives a crash.
const place = `${asked.directory}/case`;
const placeFd = fs.openSync(place, 'w+');
const note = new Uint8Array(8);
const noteView = new DataView(note.buffer);
let before = Number.POSITIVE_INFINITY;

for (let batch = asked.from; batch < asked.to; batch += BATCH) {
  const end = Math.min(batch + BATCH, asked.to);
  for (let index = batch; index < end; index++) {
    noteView.setFloat64(0, index, true);
    fs.writeSync(placeFd, note, 0, 8, 0);
    const recipe = recipeOf(corpus, asked.seed, index);
    const found = await runCase(recipe);
    if (found !== undefined) say({ index, recipe, found });
    if (index % 16 === 15) {
      const now = taken();
      if (before === Number.POSITIVE_INFINITY) before = now;
      if (now - before > CASE_BYTES) {
        // Another thread frees buffers: only what is still there after a while counts as kept.
        for (let look = 0; look < MOST_LOOKS && taken() - before > CASE_BYTES; look++) {
          globalThis.gc?.();
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        if (taken() - before > CASE_BYTES)
          say({ index, recipe, found: `16 cases kept ${Math.round((taken() - before) / 2 ** 20)} MiB` });
        before = taken();
      }
    }
  }
  if (coverage) await learn(coverage, batch, end);
  say({ done: end, ...(coverage && { blocks: coverage.blocks }) });
}
if (coverage) saveCorpus(target.name, learned);
target.close();
process.exit(0);
