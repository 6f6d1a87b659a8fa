/** Operations of true FUSE mounts. Each has two rows: a step of the main thread fails, or one of the thread that serves the mount. */
import { crc32 } from 'node:zlib';
import { unmountFuse } from '../../src/fuse/index.js';
import { DaxError } from '../../src/index.js';
import { codeOf } from '../../src/libc/index.js';
import { mountFamfsAt, mountSysfsAt } from '../../src/mounts/index.js';
import type { Operation } from './operations.js';
import { CONTENT, use } from './program.js';
import type { World } from './world.js';

/** So long that only fsync and the unmount publish. */
const NEVER_SETTLED = 3_600_000;
const none = () => {};

function mounted(world: World, by: 'mount' | 'fusermount3' = 'mount') {
  return mountFamfsAt('dax0.0', world.mountpoint, {
    root: world.root,
    settleMilliseconds: NEVER_SETTLED,
    onReport: none,
    by,
  });
}

async function mount(world: World): Promise<void> {
  const made = await mounted(world);
  world.give({ close: () => made.unmount() });
}

async function mountByHelper(world: World): Promise<void> {
  const made = await mounted(world, 'fusermount3');
  world.give({ close: () => made.unmount() });
}

async function mountTree(world: World): Promise<void> {
  const made = await mountSysfsAt(world.mountpoint, { root: world.root, onReport: none });
  world.give({ close: () => made.unmount() });
}

async function withMount(world: World): Promise<void> {
  world.withFiles();
  world.mount = await mounted(world);
}

/** A mount with a file that is not published yet: the unmount does that. */
async function withUnpublished(world: World): Promise<void> {
  await withMount(world);
  await use('write', world.mountpoint);
}

/** What the kernel answers a program has an errno and no more. */
async function asProgram(act: 'make' | 'read', world: World): Promise<void> {
  try {
    await use(act, world.mountpoint);
  } catch (error) {
    const { errno, message } = error as NodeJS.ErrnoException;
    if (errno === undefined) throw error;
    throw new DaxError(codeOf(-errno), message, { cause: error });
  }
}

/** What was made through a mount is there whole or not at all. */
function isWhole(look: unknown): boolean {
  const text = JSON.stringify(look);
  return !text.includes('/n"') || text.includes(`"crc":${crc32(CONTENT)}`);
}

const common = { mounts: true, isLong: true } as const;
const files = (world: World) => void world.withFiles();

/** Both rows of an operation. */
function bothOf(operation: Operation): Operation[] {
  return [operation, { ...operation, name: `${operation.name}, its worker`, worker: true }];
}

export const mounts: readonly Operation[] = [
  ...bothOf({ ...common, name: 'FUSE mount', prepare: files, act: mount }),
  { ...common, name: 'FUSE mount by fusermount3', prepare: files, act: mountByHelper },
  ...bothOf({ ...common, name: 'FUSE mount of the attribute tree', prepare: files, act: mountTree }),
  {
    ...common,
    worker: true,
    name: 'a file made through a FUSE mount, its worker',
    prepare: withMount,
    act: (world) => asProgram('make', world),
    mayBecome: isWhole,
  },
  {
    ...common,
    worker: true,
    name: 'files read through a FUSE mount, its worker',
    prepare: withMount,
    act: (world) => asProgram('read', world),
  },
  ...bothOf({
    ...common,
    name: 'FUSE unmount',
    prepare: withUnpublished,
    act: (world) => world.mount!.unmount(),
    mayBecome: isWhole,
  }),
  {
    ...common,
    name: 'FUSE unmount by another',
    prepare: withUnpublished,
    act: async (world) => {
      await unmountFuse(world.mountpoint);
      await world.mount!.closed;
    },
    mayBecome: isWhole,
  },
];
