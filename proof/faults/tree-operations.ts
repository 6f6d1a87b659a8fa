/**
 * The verbs that run as root on the kernel's own tree (src/tree), over a model of it: no root is needed, and a store or read is a
 * step. test/tree/verbs.property.test.ts lets each store fail from any state; here reads fail as well.
 */
import { Bus, checkInvariants } from '../../src/dax/index.js';
import { DaxError } from '../../src/libc/index.js';
import { carving, type DaxTree, type DeviceMode, deviceAt, ModelTree, verbs } from '../../src/tree/index.js';
import { injector } from './injector.js';
import type { Operation } from './operations.js';
import type { World } from './world.js';

const MIB = 2 ** 20;
const READ = ['EMFILE', 'ENOMEM', 'EIO'];

/** A tree whose every call is a step. */
class SteppingTree extends ModelTree {
  override read(path: string): string {
    return step('tree read', path, READ, () => super.read(path));
  }
  override readdir(path: string): string[] {
    return step('tree readdir', path, READ, () => super.readdir(path));
  }
  override readlink(path: string): string {
    return step('tree readlink', path, READ, () => super.readlink(path));
  }
  override realpath(path: string): string {
    return step('tree realpath', path, READ, () => super.realpath(path));
  }
  override write(path: string, text: string): number {
    return step('tree store', path, ['ENOMEM', 'EMFILE', 'EBUSY'], () => super.write(path, text));
  }
  override loadDriver(name: string): void {
    step('tree load', name, ['EPERM', 'EAGAIN'], () => super.loadDriver(name));
  }
}

function step<T>(name: string, path: string, codes: readonly string[], act: () => T): T {
  const code = injector.next(name, codes);
  if (code !== undefined) throw new DaxError(code as DaxError['code'], `${name} of ${path} fails`, { path });
  return injector.within(act);
}

function kernel(world: World, mode: DeviceMode | 'disabled' = 'devdax'): DaxTree {
  const bus = new Bus({ autoOnline: 'offline', memoryBlockBytes: 4 * MIB });
  for (const module of ['device_dax', 'fsdev_dax', 'kmem']) bus.insmod(module);
  bus.addRegion({ id: 0, type: 'device', start: 2 ** 32, size: 16 * MIB, align: 2 * MIB, targetNode: 1 });
  const tree = new ModelTree(bus);
  const place = deviceAt(tree, 'dax0.0');
  if (mode === 'disabled') verbs.disable(tree, place, { force: false });
  else verbs.reconfigure(tree, place, mode, { force: true, online: true });
  world.bus = {
    look: () => {
      const { modules, regions, ...rest } = bus.snapshot();
      return {
        ...rest,
        modules: modules.map(({ ids, ...module }) => ({ ...module, ids: [...ids].sort() })),
        // The kernel forgets these names with a new device.
        regions: regions.map(({ seed: _seed, youngest: _youngest, ...region }) => region),
        wrong: checkInvariants(bus),
      };
    },
    tree: new SteppingTree(bus),
  };
  return world.bus.tree;
}

const first = ({ bus }: World) => deviceAt(bus!.tree, 'dax0.0');

function reconfigure(from: DeviceMode, to: DeviceMode): Operation {
  return {
    name: `kernel: ${from} to ${to}`,
    prepare: (world) => void kernel(world, from),
    act: (world) => verbs.reconfigure(world.bus!.tree, first(world), to, { force: true, online: true }),
  };
}

export const kernelVerbs: readonly Operation[] = [
  reconfigure('devdax', 'system-ram'),
  reconfigure('devdax', 'famfs'),
  reconfigure('system-ram', 'devdax'),
  reconfigure('famfs', 'devdax'),
  {
    name: 'kernel: enable',
    prepare: (world) => void kernel(world, 'disabled'),
    act: (world) => verbs.enable(world.bus!.tree, first(world)),
  },
  {
    name: 'kernel: disable',
    prepare: (world) => void kernel(world),
    act: (world) => verbs.disable(world.bus!.tree, first(world), { force: false }),
  },
  {
    name: 'kernel: disable system-ram',
    prepare: (world) => void kernel(world, 'system-ram'),
    act: (world) => verbs.disable(world.bus!.tree, first(world), { force: true }),
  },
  {
    name: 'kernel: destroy',
    prepare: (world) => void kernel(world),
    act: (world) => carving.destroyDevice(world.bus!.tree, first(world), { force: true }),
  },
  {
    name: 'kernel: create',
    prepare: (world) => {
      const tree = kernel(world);
      carving.destroyDevice(tree, deviceAt(tree, 'dax0.0'), { force: true });
    },
    act: ({ bus }) => carving.createDevice(bus!.tree, 0, { size: 8 * MIB, align: undefined }),
  },
];
