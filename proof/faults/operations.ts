/** The operations during which a step fails. */
import fs from 'node:fs';
import {
  createQueue,
  fsck,
  mkfs,
  mountFamfs,
  openDevice,
  openMachine,
  openQueue,
  openVolume,
  queueInfo,
  takeOver,
} from '../../src/index.js';
import { mounts } from './mount-operations.js';
import { kernelVerbs } from './tree-operations.js';
import { MKFS, REGION_BYTES, type World } from './world.js';

export interface Operation {
  readonly name: string;
  /** Runs before, without failures. */
  prepare(world: World): void | Promise<void>;
  /** Runs while a step fails. */
  act(world: World): unknown;
  /** Whether a failure may leave a state other than the one before or after. */
  mayBecome?(look: unknown): boolean;
  /** Needs a real mount. */
  readonly mounts?: boolean;
  /** The step that fails is one of the thread that serves the mount. */
  readonly worker?: boolean;
  /** Takes more than a second: not in the short form. */
  readonly isLong?: boolean;
}

const KIB = 1024;
const OTHER = '99999999-9999-4999-8999-999999999999';

const none = () => {};
const hostFile = (world: World, name: string, bytes = 300 * KIB) =>
  fs.writeFileSync(world.file(name), new Uint8Array(bytes).fill(5));

const machines: Operation[] = [
  {
    name: 'open a new machine',
    prepare: none,
    act: (world) => void world.give(openMachine(world.root, { create: true })),
    // Making the machine and opening it are two steps. The first is complete when the second fails.
    mayBecome: () => true,
  },
  {
    name: 'open a machine',
    prepare: (world) => void world.withRegion(),
    act: (world) => void world.give(openMachine(world.root)).devices(),
  },
  {
    name: 'create a region',
    prepare: (world) => void world.machine.devices(),
    act: (world) => world.machine.createRegion({ size: REGION_BYTES }),
  },
  {
    name: 'create a region over a file',
    prepare: (world) => {
      void world.machine.devices();
      fs.writeFileSync(world.file('memory'), '');
      fs.truncateSync(world.file('memory'), REGION_BYTES);
    },
    act: (world) => world.machine.createRegion({ size: REGION_BYTES, backing: world.file('memory') }),
  },
  {
    name: 'destroy a region',
    prepare: (world) => void world.withRegion().machine.disable('dax0.0'),
    act: (world) => world.machine.destroyRegion(0),
  },
  {
    name: 'reconfigure to famfs',
    prepare: (world) => void world.withRegion(),
    act: (world) => world.machine.reconfigure('dax0.0', 'famfs'),
  },
  {
    name: 'reconfigure to system-ram',
    prepare: (world) => void world.machine.createRegion({ size: 256 * 2 ** 20, sparse: true }),
    act: (world) => world.machine.reconfigure('dax0.0', 'system-ram', { force: true }),
  },
  {
    name: 'take memory of a node',
    prepare: (world) => {
      world.machine.createRegion({ size: 256 * 2 ** 20, sparse: true });
      world.machine.reconfigure('dax0.0', 'system-ram', { force: true });
    },
    act: (world) => {
      const [node] = world.machine.status().nodes;
      world.machine
        .node(node!.id)
        .alloc(64 * KIB)
        .free();
    },
  },
  {
    name: 'disable',
    prepare: (world) => void world.withRegion(),
    act: (world) => world.machine.disable('dax0.0'),
  },
  {
    name: 'enable',
    prepare: (world) => void world.withRegion().machine.disable('dax0.0'),
    act: (world) => world.machine.enable('dax0.0'),
  },
  {
    name: 'destroy a device',
    prepare: (world) => void world.withRegion().machine.disable('dax0.0'),
    act: (world) => world.machine.destroyDevice('dax0.0'),
  },
  {
    name: 'create a device',
    prepare: (world) => {
      world.withRegion().machine.disable('dax0.0');
      world.machine.destroyDevice('dax0.0');
    },
    act: (world) => world.machine.createDevice(0, { size: REGION_BYTES / 2 }),
  },
  {
    name: 'report failed memory',
    prepare: (world) => void world.withFamfs(),
    act: (world) => world.machine.memoryFailure({ device: 'dax0.0', offset: 20 * 2 ** 20 }),
  },
  {
    name: 'map a raw device',
    prepare: (world) => void world.withRegion(),
    act: (world) => {
      const dax = world.give(world.machine.openDax('dax0.0', { writable: true }));
      dax.mmap({ writable: true, length: 2 ** 21 })[5] = 1;
    },
  },
];

const media: Operation[] = [
  {
    name: 'mkfs',
    prepare: (world) => void world.withRegion().machine.reconfigure('dax0.0', 'famfs'),
    act: (world) => mkfs(world.machine.device('dax0.0'), MKFS),
  },
  {
    name: 'mkfs over another',
    prepare: (world) => {
      world.withFamfs();
      const volume = mountFamfs(world.machine.device('dax0.0'));
      volume.mkdir('/old');
      volume.close();
    },
    act: (world) => mkfs(world.machine.device('dax0.0'), { ...MKFS, force: true }),
    mayBecome: (look) => JSON.stringify(look).includes('"no file system"'),
  },
  {
    name: 'mkfs of an image file',
    prepare: (world) => {
      fs.writeFileSync(world.file('image'), '');
      fs.truncateSync(world.file('image'), REGION_BYTES);
    },
    act: (world) => mkfs(world.file('image'), { systemUuid: OTHER, ...MKFS }),
  },
  {
    name: 'mount and unmount (library)',
    prepare: (world) => void world.withFamfs(),
    act: (world) => mountFamfs(world.machine.device('dax0.0')).close(),
  },
  {
    name: 'mount of an image file (library)',
    prepare: (world) => {
      fs.writeFileSync(world.file('image'), '');
      fs.truncateSync(world.file('image'), REGION_BYTES);
      mkfs(world.file('image'), { systemUuid: OTHER, ...MKFS });
    },
    act: (world) => {
      const device = world.give(openDevice(world.file('image'), { root: world.root }));
      mountFamfs(device, { readOnly: true }).close();
    },
  },
  {
    name: 'fsck',
    prepare: (world) => void world.withFamfs(),
    act: (world) => fsck(world.machine.device('dax0.0')),
  },
  {
    name: 'take-over',
    prepare: (world) => {
      world.withRegion().machine.reconfigure('dax0.0', 'famfs');
      mkfs(world.machine.device('dax0.0'), { ...MKFS, systemUuid: OTHER });
    },
    act: (world) => takeOver(world.machine.device('dax0.0'), { from: OTHER }),
    // fsck reports a take-over that was cut short, and another take-over completes it.
    mayBecome: () => true,
  },
  {
    name: 'up (openVolume)',
    prepare: none,
    act: (world) => void world.give(openVolume(world.root, { size: REGION_BYTES })),
    // The machine, its region and its mode are separate steps, each complete. What was made stays, and the next try uses it.
    mayBecome: (look) => look !== null,
  },
];

const volumes: Operation[] = [
  {
    name: 'mkdir',
    prepare: (world) => void world.withFamfs().volume.statfs(),
    act: (world) => world.volume.mkdir('/x'),
  },
  {
    name: 'create',
    prepare: (world) => void world.withFamfs().volume.statfs(),
    act: (world) => world.volume.create('/x', { size: 100 * KIB }).close(),
  },
  {
    name: 'copyIn',
    prepare: (world) => {
      world.withFamfs().volume.statfs();
      hostFile(world, 'source');
    },
    act: (world) => world.volume.copyIn(world.file('source'), '/x'),
  },
  {
    name: 'copyManyIn',
    prepare: (world) => {
      world.withFamfs().volume.statfs();
      hostFile(world, 'source');
      hostFile(world, 'small', 500);
    },
    act: (world) =>
      world.volume.copyManyIn([
        { source: world.file('small'), destination: '/x' },
        { source: world.file('source'), destination: '/y' },
      ]),
    // Each file is complete by itself. What was copied stays, and the next try overwrites it.
    mayBecome: (look) => /[/]x\b/.test(JSON.stringify(look)) && !/[/]y\b/.test(JSON.stringify(look)),
  },
  {
    name: 'writeFile',
    prepare: (world) => void world.withFamfs().volume.statfs(),
    act: (world) => world.volume.writeFile('/x', new Uint8Array(100 * KIB).fill(3)),
  },
  {
    name: 'writeFile of a stream',
    prepare: (world) => void world.withFamfs().volume.statfs(),
    act: (world) =>
      world.volume.writeFile('/x', [new Uint8Array(70 * KIB).fill(3), new Uint8Array(9).fill(4)]),
  },
  {
    name: 'copyOut',
    prepare: (world) => void world.withFiles(),
    act: async (world) => {
      await world.volume.copyOut('/d/a', world.file('out'));
    },
  },
  {
    name: 'open, map, write and read a file',
    prepare: (world) => void world.withFiles(),
    act: (world) => {
      const file = world.give(world.volume.open('/d/a', { writable: true }));
      file.map({ writable: true })[1] = 7;
      file.write(new Uint8Array(8 * KIB).fill(7), 100);
      file.read(new Uint8Array(8 * KIB), 5000);
      file.map({ offset: 2 ** 20, length: 2 ** 20 });
      world.volume.flush('/d/a');
    },
  },
  {
    name: 'rewrite: remove',
    prepare: (world) => void world.withFiles(),
    act: (world) => world.volume.rewrite({ remove: ['/d'], recursive: true }),
  },
  {
    name: 'rewrite: move and resize',
    prepare: (world) => void world.withFiles(),
    act: (world) => world.volume.rewrite({ move: [['/d/a', '/b']], resize: [['/b', 6 * 2 ** 20]] }),
  },
  {
    name: 'rewrite: defragment',
    prepare: async (world) => {
      const { volume } = world.withFamfs();
      volume.create('/front', { size: 4 * 2 ** 20 }).close();
      const file = volume.create('/a', { size: 3 * 2 ** 20 });
      file.write(new Uint8Array(3 * 2 ** 20).fill(7), 0);
      file.close();
      await volume.rewrite({ remove: ['/front'] });
    },
    act: (world) => world.volume.rewrite({ defragment: true }),
  },
  {
    name: 'clone',
    prepare: (world) => void world.withFiles(),
    act: (world) => world.volume.clone('/d/a', '/c', { force: true }),
  },
  {
    name: 'publish and refresh',
    prepare: (world) => void world.withFiles(),
    act: (world) => {
      world.volume.publish();
      world.volume.refresh();
    },
  },
  {
    name: 'make a queue',
    prepare: (world) => void world.withFamfs().volume.statfs(),
    act: (world) => createQueue(world.volume, '/q', { nbuckets: 4, bucketSize: 64 }),
    // The queue has two files, made one after the other. A consumer file alone is no queue; the next try completes it or reports
    // it.
    mayBecome: (look) =>
      JSON.stringify(look).includes('/q.consumer') || JSON.stringify(look).includes('"/q"'),
  },
  {
    name: 'put into a queue',
    prepare: (world) => {
      createQueue(world.withFamfs().volume, '/q', { nbuckets: 4, bucketSize: 64 });
    },
    act: (world) => {
      queueInfo(world.volume, '/q');
      world.give(openQueue(world.volume, '/q', { role: 'producer' })).tryPut(new Uint8Array(48));
    },
  },
  {
    name: 'take from a queue',
    prepare: (world) => {
      const { volume } = world.withFamfs();
      createQueue(volume, '/q', { nbuckets: 4, bucketSize: 64 });
      const producer = openQueue(volume, '/q', { role: 'producer' });
      producer.tryPut(new Uint8Array(48));
      producer.close();
    },
    act: (world) => void world.give(openQueue(world.volume, '/q', { role: 'consumer' })).tryGet(),
  },
];

export const operations: readonly Operation[] = [
  ...machines,
  ...media,
  ...volumes,
  ...kernelVerbs,
  ...mounts,
];

/** Faults that this tool has on purpose: each must be found. */
export const controls: readonly Operation[] = [
  {
    name: 'control: leaks a descriptor',
    prepare: (world) => hostFile(world, 'source', 10),
    act: (world) => {
      const fd = fs.openSync(world.file('source'), 'r');
      fs.fstatSync(fd);
      fs.closeSync(fd);
    },
  },
  {
    name: 'control: leaves a file',
    prepare: none,
    act: (world) => {
      fs.writeFileSync(world.file('draft'), 'text');
      fs.renameSync(world.file('draft'), world.file('document'));
    },
  },
  {
    name: 'control: swallows the failure of a store',
    prepare: (world) => void world.withFamfs().volume.statfs(),
    act: (world) => {
      try {
        world.volume.mkdir('/x');
      } catch {
        // Reports success.
      }
    },
  },
  {
    name: 'control: reports what was done as failed',
    prepare: (world) => void world.withFamfs().volume.statfs(),
    act: (world) => {
      if (!world.volume.exists('/x')) world.volume.mkdir('/x');
      try {
        fs.statSync(world.directory);
      } catch (cause) {
        throw Object.assign(new Error('cannot look'), { code: 'EIO', cause });
      }
    },
  },
  {
    name: 'control: throws a bare Error',
    prepare: none,
    act: (world) => {
      try {
        fs.statSync(world.directory);
      } catch {
        throw new Error('something went wrong');
      }
    },
  },
];
