/** The roles of the processes in the soak. Each opens what it needs when an epoch begins, and closes everything when it ends. */
import fs from 'node:fs';
import path from 'node:path';
import {
  fsck,
  type Machine,
  mountFamfs,
  openMachine,
  openQueue,
  type Queue,
  type Volume,
  type VolumeWatcher,
} from '../../src/index.js';
import { hasCode } from '../../src/libc/index.js';
import { type FamfsMount, mountFamfsAt } from '../../src/mounts/index.js';
import { contentOf, OTHER_DEVICE, QUEUE } from '../kill/work.js';

export interface Place {
  root: string;
  /** Directory for files of the host. The mount point is in it. */
  directory: string;
  /** Index of this process, for names. */
  index: number;
  random: () => number;
}

/** One epoch of one process. */
export interface Session {
  /** Does one piece of work. @returns false when there is no room for more in this epoch */
  step(number: number): Promise<boolean> | boolean;
  close(): Promise<void> | void;
}

export type Role = (place: Place) => Promise<Session> | Session;

export const PATIENCE = { lockWaitMs: 60_000 };
/** Free log entries and bytes that writers leave. */
const ROOM = { bytes: 64 * 2 ** 20, entries: 200 };

function opened(place: Place): { machine: Machine; volume: Volume; close: () => void } {
  const machine = openMachine(place.root, PATIENCE);
  const volume = mountFamfs(machine.device('dax0.0'), PATIENCE);
  return {
    machine,
    volume,
    close() {
      volume.close();
      machine.close();
    },
  };
}

function hasRoom(volume: Volume): boolean {
  volume.refresh();
  const { free, logFree } = volume.statfs();
  return free > ROOM.bytes && logFree > ROOM.entries;
}

let names = 0;

const writer: Role = (place) => {
  const { volume, close } = opened(place);
  const source = path.join(place.directory, `source${place.index}`);
  const ways: ((name: string) => unknown)[] = [
    (name) => volume.mkdir(`${name}d`),
    (name) => volume.writeFile(name, contentOf(name)),
    async (name) => {
      fs.writeFileSync(source, contentOf(name));
      await volume.copyIn(source, name);
    },
    (name) => volume.writeFile(name, [contentOf(name)]),
    (name) => volume.create(name, { size: contentOf(name).length, fill: filling(contentOf(name)) }).close(),
  ];
  return {
    async step() {
      if (!hasRoom(volume)) return false;
      const way = Math.floor(place.random() * ways.length);
      await ways[way]!(`/w${place.index}.${names++}`);
      return true;
    },
    close,
  };
};

function filling(content: Buffer) {
  return (into: Uint8Array, position: number): void => {
    into.set(content.subarray(position, position + into.length));
  };
}

function check(name: string, found: Uint8Array): void {
  if (!contentOf(name).equals(found)) throw new Error(`${name} does not hold what was stored`);
}

const reader: Role = (place) => {
  const { volume, close } = opened(place);
  return {
    step() {
      volume.refresh();
      const files = [...volume.walk('/')].filter(
        ({ path: name, type }) => type === 'file' && !name.startsWith(QUEUE),
      );
      const chosen = files[Math.floor(place.random() * files.length)];
      if (!chosen) return true;
      const file = volume.open(chosen.path);
      try {
        const bytes = new Uint8Array(file.size);
        file.read(bytes, 0);
        check(chosen.path, bytes);
        check(chosen.path, file.map());
        check(chosen.path, volume.fs.readFileSync(chosen.path) as Uint8Array);
      } finally {
        file.close();
      }
      return true;
    },
    close,
  };
};

const watcher: Role = (place) => {
  const { volume, close } = opened(place);
  const watching: VolumeWatcher = volume.watch({ intervalMs: 5 });
  const iterator = watching[Symbol.asyncIterator]();
  let next = iterator.next();
  return {
    async step() {
      const event = await Promise.race([next, turn()]);
      if (!event || event.done) return true;
      next = iterator.next();
      if (event.value.type === 'problem') throw new Error(`a watch met ${event.value.problem.message}`);
      if (event.value.type !== 'new') return true;
      for (const { path: name, type } of event.value.entries) {
        const isThere = volume.exists(name) && volume.stat(name).type === type;
        if (!isThere) throw new Error(`${name} was told by a watch, and is not there`);
      }
      return true;
    },
    async close() {
      watching.close();
      await next;
      close();
    },
  };
};

/** Lets other processes run for a few milliseconds. */
const turn = (): Promise<undefined> => new Promise((resolve) => setTimeout(() => resolve(undefined), 10));

const producer: Role = (place) => {
  const { volume, close } = opened(place);
  let queue: Queue = openQueue(volume, QUEUE, { role: 'producer', framed: true });
  return {
    async step(number) {
      if (number % 50 === 49) {
        queue.close();
        queue = openQueue(volume, QUEUE, { role: 'producer', framed: true });
      }
      if (!queue.tryPut(Buffer.from('message'))) await turn();
      return true;
    },
    close() {
      queue.close();
      close();
    },
  };
};

const consumer: Role = (place) => {
  const { volume, close } = opened(place);
  const queue = openQueue(volume, QUEUE, { role: 'consumer', framed: true });
  return {
    async step() {
      const message = queue.tryGet();
      if (!message) await turn();
      else if (Buffer.from(message).toString() !== 'message') throw new Error(`a queue gave '${message}'`);
      return true;
    },
    close() {
      queue.close();
      close();
    },
  };
};

const server: Role = async (place) => {
  const mountpoint = path.join(place.directory, 'mount');
  fs.mkdirSync(mountpoint, { recursive: true });
  const mount: FamfsMount = await mountFamfsAt('dax0.0', mountpoint, {
    root: place.root,
    settleMilliseconds: 50,
  });
  const { volume, close } = opened(place);
  return {
    async step() {
      if (!hasRoom(volume)) return false;
      const name = `/f${place.index}.${names++}`;
      const file = path.join(mountpoint, name);
      await fs.promises.writeFile(file, contentOf(name));
      check(name, await fs.promises.readFile(file));
      await fs.promises.stat(file);
      await fs.promises.readdir(mountpoint);
      if (place.random() < 0.1) await mount.publish(name);
      return true;
    },
    async close() {
      close();
      await mount.unmount();
    },
  };
};

const MODES = ['famfs', 'devdax', 'system-ram', 'devdax'] as const;

const changer: Role = (place) => {
  const machine = openMachine(place.root, PATIENCE);
  return {
    async step(number) {
      const mode = MODES[number % MODES.length]!;
      machine.reconfigure(OTHER_DEVICE, mode, { force: true });
      if (mode === 'system-ram') useMemory(machine);
      if (mode === 'devdax') {
        const dax = machine.openDax(OTHER_DEVICE);
        dax.mmap({ offset: 0, length: 2 ** 21, writable: true })[0] = number & 0xff;
        dax.close();
      }
      await turn();
      return true;
    },
    close() {
      machine.reconfigure(OTHER_DEVICE, 'devdax', { force: true });
      machine.close();
    },
  };
};

function useMemory(machine: Machine): void {
  const node = machine.devices().find(({ name }) => name === OTHER_DEVICE)!.targetNode;
  const buffer = machine.node(node).alloc(2 ** 16);
  buffer.bytes[0] = 1;
  buffer.free();
}

const asker: Role = (place) => ({
  async step() {
    const machine = openMachine(place.root, PATIENCE);
    try {
      const { errors, notes } = fsck(machine.device('dax0.0'));
      // While a process appends, the sequence number is stored and the index is not yet.
      const wrong = [...errors, ...notes.filter(({ message }) => !/next_seqnum|not published/.test(message))];
      if (wrong.length > 0) throw new Error(`fsck: ${wrong[0]!.message}`);
      machine.status();
    } catch (error) {
      if (!hasCode(error, 'EBUSY')) throw error;
    } finally {
      machine.close();
    }
    await turn();
    return true;
  },
  close() {},
});

/**
 * What an epoch adds for a reason outside udax: koffi leaves some mappings behind for each thread that loads it, and each mount
 * has one thread.
 */
export const knownSlopes: Record<string, { mappings: number }> = { server: { mappings: 5 } };

export const roles: Record<string, Role> = {
  writer,
  writer2: writer,
  reader,
  watcher,
  producer,
  consumer,
  server,
  changer,
  asker,
};
