// Loaded through Node's --import in the main thread. A worker inherits that, so it is also loaded in the thread that serves a
// FUSE mount.
import fs from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { injector } from './injector.js';
import { patchAll } from './patches.js';

const { appendFileSync } = fs;
patchAll();

/** `STEP CHOICE FILE`: the fault for a worker that starts now. The worker writes its steps to FILE. */
const asked = process.env.UDAX_PROOF_WORKER;
if (!isMainThread && asked !== undefined && asked !== '') {
  const [step, choice, file] = asked.split(' ') as [string, string, string];
  let written = 0;
  injector.onStep = (name) => {
    if (++written > 2000) return;
    injector.within(() => appendFileSync(file, `${name}\n`));
  };
  injector.arm({ step: Number(step), choice: Number(choice), isDouble: false });
}
