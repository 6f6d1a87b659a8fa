/** The attribute tree: read, write, ls, stat, tree. */
import { parsePhysicalAddress, seenByStore } from '../../../dax/index.js';
import { DaxError, fail } from '../../../libc/index.js';
import { PAGE_SIZE } from '../../../mm/index.js';
import type { AccessMode, NodeInfo } from '../../../tree/index.js';
import { hardOffline } from '../memory-failure.js';
import { deviceNodeName, maskNd, resolvePath } from '../paths.js';
import type { Arguments, StepResult } from '../transcript.js';
import { done, type OperationTable, textValue, type World } from '../world.js';

export const attributeOperations: OperationTable = {
  write(world, args) {
    const path = resolvePath(world.platform, args.text('path'));
    const data = args.text('data');
    const hook = memoryFailureFile(world, path);
    const refused = hook?.debugfs ? null : checkOpen(world, args, path, 'write');
    if (refused) return refused;
    if (hook && data !== '') {
      hook.store(seenByStore(data));
      return done(Buffer.byteLength(data));
    }
    return done(world.sysfs.write(path, data, world.caller(args)));
  },
  read(world, args) {
    const path = resolvePath(world.platform, args.text('path'));
    const refused = checkOpen(world, args, path, 'read');
    return refused ?? textValue(world.sysfs.read(path, world.caller(args)));
  },
  readlink(world, args) {
    return textValue(world.sysfs.readlink(resolvePath(world.platform, args.text('path'))));
  },
  ls(world, args) {
    const path = resolvePath(world.platform, args.text('path'));
    return done(memoryFailureFiles(world, path) ?? world.sysfs.readdir(path));
  },
  stat(world, args) {
    const path = args.text('path');
    if (path.startsWith('/dev/')) return done(nodeStat(world, path));
    const info = world.sysfs.lookup(resolvePath(world.platform, path), { follow: true });
    return done({
      type: kind(info.type),
      mode: octal(info.mode),
      uid: info.uid,
      gid: info.gid,
      size: info.size,
    });
  },
  tree(world, args) {
    const path = resolvePath(world.platform, args.text('path'));
    const entries = world.sysfs.tree(path, args.number('depth', 4), world.caller(args));
    return done(
      entries.map(({ type, mode, ...entry }) => ({
        ...entry,
        type: kind(type),
        mode: octal(mode),
        ...(entry.target === undefined ? {} : { target: maskNd(entry.target) }),
      })),
    );
  },
};

function checkOpen(world: World, args: Arguments, path: string, access: AccessMode): StepResult | null {
  try {
    world.sysfs.checkOpen(path, access, world.caller(args));
    return null;
  } catch (error) {
    if (!(error instanceof DaxError)) throw error;
    return { ok: false, errno: error.code, at: 'open' };
  }
}

interface MemoryFailureFile {
  debugfs: boolean;
  store: (text: string) => void;
}

/** Files that trigger a memory failure whose signals go to processes of the scenario. */
function memoryFailureFile(world: World, path: string): MemoryFailureFile | null {
  if (path === 'devices/system/memory/hard_offline_page') {
    return { debugfs: false, store: (text) => hardOffline(world, parsePhysicalAddress(text)) };
  }
  const [, verb] = /\/hwpoison\/(corrupt|unpoison)-pfn$/.exec(path) ?? [];
  if (verb === undefined || !world.platform.otherModules.has('hwpoison_inject')) return null;
  if (verb === 'corrupt') {
    return { debugfs: true, store: (text) => hardOffline(world, parsePhysicalAddress(text) * PAGE_SIZE) };
  }
  return { debugfs: true, store: () => fail('EIO', 'a page of a dax device cannot be unpoisoned by hand') };
}

/** The files that hwpoison_inject makes in debugfs. The `filter` files choose which pages may be poisoned. */
const HWPOISON_FILES = [
  'corrupt-filter-dev-major',
  'corrupt-filter-dev-minor',
  'corrupt-filter-enable',
  'corrupt-filter-flags-mask',
  'corrupt-filter-flags-value',
  'corrupt-filter-memcg',
  'corrupt-pfn',
  'unpoison-pfn',
];

/** The listing of the directory with the files above; null for any other directory. */
function memoryFailureFiles(world: World, path: string): string[] | null {
  const isThere = world.platform.otherModules.has('hwpoison_inject');
  return isThere && /(^|\/)debug\/hwpoison\/?$/.test(path) ? HWPOISON_FILES : null;
}

/** stat of a device node. */
function nodeStat(world: World, path: string): unknown {
  const { major: _major, mode, ...info } = world.sysfs.deviceNode(deviceNodeName(path));
  return { ...info, mode: octal(mode) };
}

function kind(type: NodeInfo['type']): string {
  return type === 'directory' ? 'dir' : type;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
