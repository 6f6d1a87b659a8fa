/** Records what processes reported and began, and checks that the file system agrees. */
import fs from 'node:fs';
import { MountedFamfs } from '../../src/famfs/volume/mounted.js';
import {
  fsck,
  type Machine,
  mkfs,
  mountFamfs,
  openMachine,
  openQueue,
  type Volume,
} from '../../src/index.js';
import { ofdLockConflict } from '../../src/libc/index.js';
import { wrongRewritten } from './rewritten.js';
import { contentOf, type Line, type Operation, QUEUE, SCRATCH_DEVICE } from './work.js';

/** Notes about a writer that was killed after its entry, or between its two index stores. The next writer repairs this. */
const FAIR_NOTE = /next_seqnum|written but not published: its writer died first/;
/** All locks of log, space and names are below this offset. */
const LOCKS_END = 2 ** 53;
const LOCK_PATIENCE = { lockWaitMs: 30_000 };

export class Ledger {
  readonly #files = new Map<string, 'directory' | 'file'>();
  /** Operations of processes that died before they reported the result. */
  readonly #maybe = new Map<string, Operation>();
  /** Messages that were reported as put, and their producers. The parent does not know the order of two producers. */
  readonly #put: string[] = [];
  readonly #producers = new Map<string, number>();
  /** The consumers of messages. The parent does not know the order of two consumers either. */
  readonly #consumers = new Map<string, number>();
  #maybePut: string[] = [];
  readonly #got: string[] = [];
  /** Gets that may have taken a message without reporting it: so many messages may be missing. */
  #maybeGot = 0;

  began(operation: Operation): void {
    if (!['mode', 'mkfs', 'rewrite'].includes(operation.kind)) this.#maybe.set(operation.name, operation);
  }

  ended(operation: Operation, { value, error }: Extract<Line, { ended: number }>, who = 0): void {
    this.#maybe.delete(operation.name);
    if (error) return;
    if (operation.kind === 'put' && value) {
      this.#put.push(value);
      this.#producers.set(value, who);
    } else if (operation.kind === 'get' && value) {
      this.#got.push(value);
      this.#consumers.set(value, who);
    } else if (operation.kind === 'mkdir') this.#files.set(operation.name, 'directory');
    else if (operation.name.startsWith('/')) this.#files.set(operation.name, 'file');
  }

  /** A child has died. The operation that it had begun may or may not have taken effect. */
  died(operation: Operation | undefined): void {
    if (operation?.kind === 'put') this.#maybePut.push(operation.name);
    if (operation?.kind === 'get') this.#maybeGot++;
  }

  forget(): void {
    this.#files.clear();
    this.#maybe.clear();
    this.#put.length = 0;
    this.#producers.clear();
    this.#consumers.clear();
    this.#got.length = 0;
    this.#maybePut = [];
    this.#maybeGot = 0;
  }

  get size(): number {
    return this.#files.size;
  }

  /** Checks what readers see, whatever else happens. @returns problems */
  readable(volume: Volume): string[] {
    return [...this.#files].flatMap(([name, kind]) => wrong(volume, name, kind));
  }

  /** Mounts anew while no process works, and checks everything. @returns problems */
  verify(root: string): string[] {
    const machine = openMachine(root, LOCK_PATIENCE);
    try {
      const problems = [...locksLeft(root, machine), ...this.#scratch(machine), ...wrongRewritten(machine)];
      const device = machine.device('dax0.0');
      const report = fsck(device);
      problems.push(...report.errors.map(({ message }) => `fsck: ${message}`));
      problems.push(
        ...report.notes
          .filter(({ message }) => !FAIR_NOTE.test(message))
          .map(({ message }) => `fsck notes: ${message}`),
      );
      const volume = mountFamfs(device, LOCK_PATIENCE);
      try {
        problems.push(...volume.problems.map(({ message }) => message), ...this.readable(volume));
        problems.push(...this.#undecided(volume), ...this.#queue(volume), ...spaceLost(machine, volume));
      } finally {
        volume.close();
      }
      problems.push(
        ...machine
          .holders()
          .filter(({ pid }) => !fs.existsSync(`/proc/${pid}`))
          .map(({ pid }) => `holder file of the dead ${pid}`),
      );
      return problems;
    } finally {
      machine.close();
    }
  }

  /** Checks that each undecided operation is complete or absent, and records which. Nothing else may be there. */
  #undecided(volume: Volume): string[] {
    const problems: string[] = [];
    for (const [name, { kind }] of this.#maybe) {
      if (!name.startsWith('/') || !volume.exists(name)) continue;
      if (kind === 'create') {
        // The name appears before the bytes: the process that creates the file writes them later.
        this.#files.delete(name);
        continue;
      }
      const type = kind === 'mkdir' ? 'directory' : 'file';
      problems.push(...wrong(volume, name, type).map((problem) => `begun, not told: ${problem}`));
      this.#files.set(name, type);
      this.#maybe.delete(name);
    }
    for (const { path } of volume.walk('/')) {
      const isKnown =
        this.#files.has(path) || this.#maybe.has(path) || path === '/' || path.startsWith(QUEUE);
      if (!isKnown) problems.push(`${path} is there, and nobody began it`);
    }
    return problems;
  }

  /** Takes the remaining messages. Every message reported as put must come once, and in order. */
  #queue(volume: Volume): string[] {
    if (!volume.exists(QUEUE)) return [];
    const queue = openQueue(volume, QUEUE, { role: 'consumer', framed: true });
    const rest: string[] = [];
    try {
      for (let message = queue.tryGet(); message; message = queue.tryGet()) {
        rest.push(Buffer.from(message).toString());
      }
    } finally {
      queue.close();
    }
    const got = [...this.#got, ...rest];
    const problems: string[] = [];
    if (new Set(got).size !== got.length) problems.push(`messages came twice: ${got.join(' ')}`);
    const missing = this.#put.filter((message) => !got.includes(message));
    if (missing.length > this.#maybeGot) problems.push(`messages were lost: ${missing.join(' ')}`);
    const unknown = got.filter(
      (message) => !this.#put.includes(message) && !this.#maybePut.includes(message),
    );
    if (unknown.length > 0) problems.push(`messages that nobody put: ${unknown.join(' ')}`);
    // The last consumer is this process, which took the remaining messages.
    const pairOf = (message: string) => `${this.#producers.get(message)} ${this.#consumers.get(message)}`;
    for (const pair of new Set(this.#put.map(pairOf))) {
      const isOfPair = (message: string) => this.#put.includes(message) && pairOf(message) === pair;
      const order = got.filter(isOfPair);
      const expected = this.#put.filter((message) => isOfPair(message) && got.includes(message));
      if (order.join() !== expected.join())
        problems.push(`put ${expected.join(' ')}, got ${order.join(' ')}`);
    }
    this.#consumers.clear();
    this.#producers.clear();
    this.#put.length = 0;
    this.#got.length = 0;
    this.#maybePut = [];
    this.#maybeGot = 0;
    return problems;
  }

  /** A killed mkfs leaves the old file system, the new one, or none. The next mkfs must work. */
  #scratch(machine: Machine): string[] {
    const device = machine.device(SCRATCH_DEVICE);
    const { ok, superblock, errors } = fsck(device);
    if (ok) return [];
    mkfs(device, { force: true });
    const again = fsck(device);
    if (!again.ok) return [`mkfs after a killed mkfs: ${again.errors[0]?.message}`];
    return superblock === null ? [] : [`a killed mkfs left ${errors[0]?.message}`];
  }
}

function wrong(volume: Volume, name: string, kind: 'directory' | 'file'): string[] {
  if (!volume.exists(name)) return [`${name} was told, and is not there`];
  if (kind === 'directory') return volume.stat(name).isDirectory() ? [] : [`${name} is no directory`];
  const content = contentOf(name);
  const file = volume.open(name);
  try {
    const found = Buffer.alloc(file.size);
    file.read(found, 0);
    return found.equals(content) ? [] : [`${name} has not the bytes that were stored`];
  } finally {
    file.close();
  }
}

/** Reports locks that are held while no process works. */
function locksLeft(root: string, machine: Machine): string[] {
  const memory = machine.regions()[0]!.backing.path;
  const problems: string[] = [];
  for (const [file, length] of [
    [memory, LOCKS_END],
    [`${root}/machine.lock`, 0],
  ] as const) {
    const fd = fs.openSync(file, 'r+');
    try {
      const left = ofdLockConflict(fd, { start: 0, length });
      if (left) problems.push(`${file} is locked at ${left.start}, ${left.length} bytes`);
    } finally {
      fs.closeSync(fd);
    }
  }
  return problems;
}

/** The used space must be that of the files. All other space must be free to take, unit by unit. */
function spaceLost(machine: Machine, volume: Volume): string[] {
  const { allocUnit, free, used } = volume.statfs();
  const { superblock } = volume;
  let files = superblock.logOffset + superblock.logLength;
  for (const { size, type } of volume.walk('/')) {
    if (type === 'file') files += Math.ceil(size / allocUnit) * allocUnit;
  }
  const problems = used === files ? [] : [`${used} bytes are used, superblock, log and files have ${files}`];
  const mounted = MountedFamfs.on(machine.device('dax0.0'), LOCK_PATIENCE);
  try {
    const units = mounted.session(() => {
      const taken = [];
      try {
        for (let left = free; left > 0; left -= allocUnit) taken.push(mounted.space.take(allocUnit));
      } finally {
        for (const reservation of taken) reservation.end();
      }
      return taken.length;
    });
    if (units * allocUnit !== free) problems.push(`${free} bytes are free, ${units} units could be taken`);
  } finally {
    mounted.leave();
  }
  return problems;
}
