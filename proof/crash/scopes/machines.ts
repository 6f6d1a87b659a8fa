/** The state directory of a machine: making it, and changing its regions, devices and modes. */
import fs from 'node:fs';
import path from 'node:path';
import { hasCode } from '../../../src/libc/index.js';
import { type Machine, openMachine } from '../../../src/machine/index.js';
import type { FileEvent } from '../../files/events.js';
import type { FileMutant, FileScope } from '../../files/explore-files.js';
import { isFrom } from '../../media/caller.js';

const REGION_BYTES = 4 * 2 ** 20;
/** Two memory blocks: what system-ram takes. */
const NODE_BYTES = 256 * 2 ** 20;
const MARKER = 'what a file of region 0 holds';

function withMachine<T>(top: string, use: (machine: Machine) => T, create = false): T {
  const machine = openMachine(path.join(top, 'pool'), { create }) as Machine;
  try {
    return use(machine);
  } finally {
    machine.close();
  }
}

/** Makes one region with a device in devdax mode, and stores a marker in its memory. */
function oneRegion(top: string, size = REGION_BYTES): void {
  withMachine(top, (machine) => void machine.createRegion({ size, sparse: true }), true);
  const fd = fs.openSync(path.join(top, 'pool/regions/0.mem'), 'r+');
  fs.writeSync(fd, MARKER, 0);
  fs.fsyncSync(fd);
  fs.closeSync(fd);
}

function read(top: string): string {
  try {
    return withMachine(top, textOf);
  } catch (error) {
    if (hasCode(error, 'ENOENT') && /there is no machine/.test((error as Error).message)) return 'no machine';
    throw error;
  }
}

function textOf(machine: Machine): string {
  const regions = machine.regions().map(({ id, size, backing }) => {
    if (backing.problem !== undefined)
      throw new Error(`the memory of region ${id} is lost: ${backing.problem}`);
    return `region ${id} of ${size} ${id === 0 ? memoryOf(backing.path) : 'anything'}`;
  });
  const devices = machine.devices().map(({ name, mode, size, state }) => `${name} ${mode} ${size} ${state}`);
  const nodes = machine.status().nodes.map((node) => `node ${node.onlineBytes} of ${node.totalBytes} online`);
  return ['machine', ...regions, ...devices, ...nodes].join('; ');
}

/** Whether the memory of region 0 has the marker, or is new and zero. */
function memoryOf(file: string): string {
  const bytes = Buffer.alloc(MARKER.length);
  const fd = fs.openSync(file, 'r');
  fs.readSync(fd, bytes, 0, bytes.length, 0);
  fs.closeSync(fd);
  if (bytes.toString() === MARKER) return 'kept';
  if (bytes.every((byte) => byte === 0)) return 'zero';
  throw new Error('the memory of region 0 holds something else');
}

/** Another process makes a region, changes its mode and destroys it. Nothing may be left over, and nothing else may change. */
function goOn(top: string, text: string): void {
  withMachine(
    top,
    (machine) => {
      const { id, devices } = machine.createRegion({ size: REGION_BYTES, sparse: true });
      machine.reconfigure(devices[0]!, 'famfs');
      machine.destroyRegion(id, { force: true });
    },
    text === 'no machine',
  );
  const after = read(top);
  const wanted = text === 'no machine' ? 'machine' : text;
  if (after !== wanted) throw new Error(`a change and its end left another machine: ${after}`);
  const left = fs.readdirSync(path.join(top, 'pool/regions'));
  const named = withMachine(top, (machine) => machine.regions().map(({ id }) => `${id}.mem`));
  const stray = left.find((name) => !named.includes(name));
  if (stray !== undefined) throw new Error(`regions/${stray} is left, and no region is on it`);
}

const written = (event: FileEvent) => event.kind === 'sync' && isFrom(event.caller, /spare-draft/);
const published = (event: FileEvent) => event.kind === 'rename' && event.to === 'pool/machine.json';
const rootSynced = (event: FileEvent) =>
  event.kind === 'sync-directory' && event.path === 'pool' && isFrom(event.caller, /[.]publish$/);

function without(events: readonly FileEvent[], isDropped: (event: FileEvent) => boolean): FileEvent[] {
  const kept = events.filter((event) => !isDropped(event));
  if (kept.length === events.length) throw new Error('a mutant changed nothing');
  return kept;
}

const publishMutants: readonly FileMutant[] = [
  {
    name: 'rename-before-sync',
    about: 'machine.json is renamed into its place before its bytes are on the disk',
    change: (events) => without(events, written),
  },
  {
    name: 'directory-not-synced',
    about: 'the directory is not synced after the rename',
    change: (events) => without(events, rootSynced),
  },
];

const base = { prepare: (top: string) => oneRegion(top), read, goOn };

export const machineScopes: readonly FileScope[] = [
  {
    ...base,
    name: 'machine-make',
    about: 'openMachine({ create: true }) where there is none',
    prepare() {},
    act(top, mark) {
      withMachine(top, () => {}, true);
      mark();
    },
    mutants: publishMutants,
  },
  {
    ...base,
    name: 'create-region',
    about: 'createRegion with memory of its own',
    act(top, mark) {
      withMachine(top, (machine) => {
        machine.createRegion({ size: REGION_BYTES, sparse: true });
        mark();
      });
    },
    mutants: [
      {
        name: 'memory-not-synced',
        about: 'the name of the new memory is not on the disk before machine.json names it',
        change: (events) =>
          without(events, (event) => event.kind === 'sync-directory' && event.path === 'pool/regions'),
      },
    ],
  },
  {
    ...base,
    name: 'destroy-region',
    about: 'destroyRegion, whose memory goes with it',
    act(top, mark) {
      withMachine(top, (machine) => {
        machine.destroyRegion(0, { force: true });
        mark();
      });
    },
    mutants: [
      {
        name: 'mark-not-synced',
        about: 'the mark on the memory is not on the disk before machine.json stops naming it',
        change: (events) =>
          without(events, (event) => event.kind === 'sync-directory' && event.path === 'pool/regions'),
      },
      {
        name: 'memory-removed-first',
        about: 'the memory is removed before machine.json stops naming it',
        change: (events) => {
          const removed = events.filter(
            (event) => event.kind === 'remove' && event.path === 'pool/regions/0.mem.old',
          );
          const at = events.findIndex(published);
          return [
            ...events.slice(0, at),
            ...removed,
            ...events.slice(at).filter((event) => !removed.includes(event)),
          ];
        },
      },
    ],
  },
  {
    ...base,
    name: 'reconfigure',
    about: 'mode change: devdax to famfs, then disabled',
    act(top, mark) {
      withMachine(top, (machine) => {
        machine.reconfigure('dax0.0', 'famfs');
        mark();
        machine.disable('dax0.0');
        mark();
      });
    },
    mutants: publishMutants,
  },
  {
    ...base,
    prepare: (top) => oneRegion(top, NODE_BYTES),
    name: 'system-ram',
    about: 'mode change: devdax to system-ram, whose memory then goes offline',
    act(top, mark) {
      withMachine(top, (machine) => {
        machine.reconfigure('dax0.0', 'system-ram');
        mark();
        machine.offlineMemory('dax0.0');
        mark();
      });
    },
    mutants: publishMutants,
  },
  {
    ...base,
    prepare(top) {
      oneRegion(top, NODE_BYTES);
      withMachine(top, (machine) => void machine.reconfigure('dax0.0', 'system-ram'));
    },
    name: 'system-ram-back',
    about: 'mode change: system-ram with its memory online, forced back to devdax, then famfs',
    act(top, mark) {
      withMachine(top, (machine) => {
        machine.reconfigure('dax0.0', 'devdax', { force: true });
        mark();
        machine.reconfigure('dax0.0', 'famfs');
        mark();
      });
    },
    mutants: publishMutants,
  },
  {
    ...base,
    name: 'devices',
    about: 'destroyDevice, then createDevice twice',
    act(top, mark) {
      withMachine(top, (machine) => {
        machine.destroyDevice('dax0.0', { force: true });
        mark();
        machine.createDevice(0, { size: REGION_BYTES / 2 });
        mark();
        machine.createDevice(0, { size: REGION_BYTES / 2 });
        mark();
      });
    },
    mutants: publishMutants.slice(0, 1),
  },
];
