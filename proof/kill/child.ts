/** One of the processes that work, and are killed or stopped. */

import fs from 'node:fs';
import path from 'node:path';
import {
  type DeviceMode,
  type Machine,
  mkfs,
  mountFamfs,
  openMachine,
  openQueue,
  type Volume,
} from '../../src/index.js';
import { isError } from '../../src/libc/index.js';
import { ParentPipe } from '../steps/pipes.js';
import { seams } from '../steps/seams.js';
import {
  contentOf,
  KEPT,
  type Line,
  NAMES,
  type Operation,
  type OperationKind,
  OTHER_DEVICE,
  QUEUE,
  REWRITTEN_DEVICE,
  SCRATCH_DEVICE,
  type Word,
} from './work.js';

export interface ChildConfig {
  root: string;
  /** Directory for files of the host. */
  directory: string;
  index: number;
}

/** The other processes wait for a stopped one for as long as the parent examines it. */
const PATIENCE = { lockWaitMs: 60_000 };

const config = JSON.parse(process.argv[3]!) as ChildConfig;
const pipe = new ParentPipe(process.argv[2]!);
let machine: Machine | undefined;
let volume: Volume | undefined;
let steps = 0;
let isWorking = false;
let isInside = false;
let end: Extract<Word, { do: 'work' }>['at'];

seams.onStep = () => {
  if (!isWorking || isInside) return;
  steps++;
  if (end?.step !== steps) return;
  isInside = true;
  process.kill(process.pid, end.signal);
  isInside = false;
};

const say = (line: Line): void => {
  isInside = true;
  pipe.say(line);
  isInside = false;
};

const acts: Record<OperationKind, (name: string) => unknown> = {
  mkdir: (name) => volume!.mkdir(name),
  create(name) {
    const content = contentOf(name);
    const file = volume!.create(name, { size: content.length });
    file.write(content, 0);
    file.close();
  },
  async copyIn(name) {
    const source = path.join(config.directory, `source${config.index}`);
    fs.writeFileSync(source, contentOf(name));
    await volume!.copyIn(source, name);
  },
  async copyManyIn(name) {
    const source = path.join(config.directory, `source${config.index}`);
    fs.writeFileSync(source, contentOf(name));
    await volume!.copyManyIn([{ source, destination: name }]);
  },
  writeFile: (name) => volume!.writeFile(name, contentOf(name)),
  async stream(name) {
    const stream = volume!.createWriteStream(name);
    const finished = new Promise<void>((resolve, reject) => {
      stream.once('finish', resolve).once('error', reject);
    });
    const content = contentOf(name);
    stream.write(content.subarray(0, 5000));
    stream.end(content.subarray(5000));
    await finished;
  },
  put(name) {
    const queue = openQueue(volume!, QUEUE, { role: 'producer', framed: true });
    try {
      return queue.tryPut(Buffer.from(name)) ? name : null;
    } finally {
      queue.close();
    }
  },
  get() {
    const queue = openQueue(volume!, QUEUE, { role: 'consumer', framed: true });
    try {
      const message = queue.tryGet();
      return message && Buffer.from(message).toString();
    } finally {
      queue.close();
    }
  },
  mode: (name) => machine!.reconfigure(OTHER_DEVICE, name as DeviceMode).mode,
  async rewrite() {
    const rewritten = mountFamfs(machine!.device(REWRITTEN_DEVICE), PATIENCE);
    try {
      const [from, to] = rewritten.exists(NAMES[0]) ? NAMES : [NAMES[1], NAMES[0]];
      await rewritten.rewrite({
        move: [[from, to]],
        resize: [[to, contentOf(KEPT).length + (from === NAMES[0] ? 3e6 : 0)]],
      });
    } finally {
      rewritten.close();
    }
  },
  mkfs: () => mkfs(machine!.device(SCRATCH_DEVICE), { force: true })?.uuid,
};

async function perform({ kind, name }: Operation, place: number): Promise<void> {
  say({ began: place });
  try {
    const value = await acts[kind](name);
    say({ ended: place, ...((typeof value === 'string' || value === null) && { value }) });
  } catch (error) {
    if (!isError(error)) throw error;
    const code = String((error as { code?: unknown }).code ?? error.name);
    say({ ended: place, error: { code, message: error.message } });
  }
}

async function obey(word: Word): Promise<void> {
  if (word.do === 'open') {
    machine = openMachine(config.root, PATIENCE);
    volume = mountFamfs(machine.device('dax0.0'), PATIENCE);
  } else if (word.do === 'close') {
    volume?.close();
    machine?.close();
  } else {
    steps = 0;
    end = word.at;
    isWorking = true;
    for (const [place, operation] of word.operations.entries()) await perform(operation, place);
    isWorking = false;
  }
  say({ done: true, steps });
}

for (;;) await obey(pipe.hear() as Word);
