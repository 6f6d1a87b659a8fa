/** Operations of true FUSE mounts. Each has two rows: a step of the main thread fails, or one of the thread that serves the mount. */
import fs from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { unmountFuse } from '../../src/fuse/index.js';
import { DaxError } from '../../src/index.js';
import { mountFamfsAt, mountSysfsAt } from '../../src/mounts/index.js';
import type { Operation } from './operations.js';
import type { World } from './world.js';

/** So long that only fsync and the unmount publish. */
const NEVER_SETTLED = 3_600_000;
const BYTES = new Uint8Array(300 * 1024).fill(9);
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
  await fs.writeFile(`${world.mountpoint}/n`, BYTES);
}

/** What the kernel answers a program has an errno and no more. */
async function asProgram(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    const { code, syscall, message } = error as NodeJS.ErrnoException;
    if (code === undefined || syscall === undefined) throw error;
    throw new DaxError(code as DaxError['code'], message, { cause: error });
  }
}

/** As a program does: what it could not write whole it removes. */
async function makeFile(world: World): Promise<void> {
  const file = `${world.mountpoint}/x/n`;
  await fs.mkdir(`${world.mountpoint}/x`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const isThere = await fs.stat(file).then(
    ({ size }) => size === BYTES.length,
    () => false,
  );
  if (isThere) return;
  const handle = await fs.open(file, 'w');
  try {
    for (let done = 0; done < BYTES.length; )
      done += (await handle.write(BYTES, done, BYTES.length - done)).bytesWritten;
    await handle.sync();
  } catch (error) {
    await handle.close().catch(none);
    await fs.rm(file, { force: true }).catch(none);
    throw error;
  }
  await handle.close();
}

async function readFiles({ mountpoint }: World): Promise<void> {
  const names = await fs.readdir(mountpoint, { recursive: true });
  if (!names.includes('d/a')) throw new Error(`listed: ${names.join(' ')}`);
  const bytes = await fs.readFile(`${mountpoint}/d/a`);
  if (bytes.length !== 3 * 2 ** 20 || bytes.some((byte) => byte !== 7)) throw new Error('it reads otherwise');
  await fs.statfs(mountpoint);
}

/** What was made through a mount is there whole or not at all. */
function isWhole(look: unknown): boolean {
  const text = JSON.stringify(look);
  return !text.includes('/n"') || text.includes(`"crc":${crc32(BYTES)}`);
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
    act: (world) => asProgram(() => makeFile(world)),
    mayBecome: isWhole,
  },
  {
    ...common,
    worker: true,
    name: 'files read through a FUSE mount, its worker',
    prepare: withMount,
    act: (world) => asProgram(() => readFiles(world)),
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
