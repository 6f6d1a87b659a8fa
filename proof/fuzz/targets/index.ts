import { Finding, type Target } from '../target.js';
import { annexTarget } from './annex.js';
import { arenaTarget } from './arena.js';
import { cliTarget } from './cli.js';
import { documentsTarget } from './documents.js';
import { formatsTarget } from './formats.js';
import { fuseTarget } from './fuse.js';
import { inspectorTarget } from './inspector.js';
import { mediaTarget } from './media.js';
import { pythonTarget } from './python.js';
import { queueTarget } from './queue.js';
import { sysfsTarget } from './sysfs.js';
import { volumeTarget } from './volume.js';
import { yamlTarget } from './yaml.js';

export const targets: readonly Target[] = [
  mediaTarget,
  annexTarget,
  volumeTarget,
  pythonTarget,
  queueTarget,
  arenaTarget,
  documentsTarget,
  fuseTarget,
  sysfsTarget,
  cliTarget,
  yamlTarget,
  formatsTarget,
  inspectorTarget,
];

function control(name: string, act: (seed: number) => void): Target {
  return { name, share: 1, open() {}, close() {}, run: ([seed = 0]) => act(seed) };
}

const kept: unknown[] = [];

/** Faults that this tool has on purpose: each must be found. */
export const controls: readonly Target[] = [
  control('control: trusts a length', (seed) => {
    new DataView(new ArrayBuffer(8)).getUint8(seed % 64);
  }),
  control('control: loops', (seed) => {
    for (const end = Date.now() + 3000; seed % 16 === 7 && Date.now() < end; );
  }),
  control('control: no errno', (seed) => {
    if (seed % 16 === 7) throw new TypeError('undefined is not a function');
  }),
  control('control: takes memory', (seed) => {
    if (seed % 16 === 7) kept.push(new Uint8Array(2 ** 27).fill(1));
  }),
  control('control: breaks its promise', (seed) => {
    if (seed % 16 === 7) throw new Finding('a medium that was only read was written');
  }),
];
