import { Bus } from '../../src/dax/index.js';
import { DaxError } from '../../src/libc/index.js';
import {
  accessTo,
  deviceAt,
  ModelTree,
  modeOfDriver,
  type RegionPlace,
  Sysfs,
  verbs,
} from '../../src/tree/index.js';

export const MIB = 2 ** 20;
export const GIB = 2 ** 30;

export interface TestBus {
  bus: Bus;
  tree: Sysfs;
}

/** A bus without memory: region 0 dynamic (1 GiB at 4 GiB, node 1), region 1 static (512 MiB, node 0); no driver loaded. */
export function makeBus(
  options: { type?: 'device' | 'kmem'; idle?: boolean; place?: RegionPlace } = {},
): TestBus {
  const bus = new Bus({ autoOnline: 'offline' });
  bus.addRegion({
    type: options.type ?? 'device',
    start: 4 * GIB,
    size: GIB,
    align: 2 * MIB,
    targetNode: 1,
    idle: options.idle ?? false,
  });
  bus.addRegion({
    type: 'device',
    static: true,
    start: 6 * GIB,
    size: 512 * MIB,
    align: 2 * MIB,
    targetNode: 0,
  });
  const tree = new Sysfs(accessTo(bus), options.place ? { place: options.place } : {});
  return { bus, tree };
}

export function loadDrivers(bus: Bus): void {
  for (const name of ['device_dax', 'fsdev_dax', 'kmem']) bus.insmod(name);
}

/** Changes the mode to that of a loaded driver. Uses force unless told otherwise; memory stays as the policy leaves it. */
export function moveTo(bus: Bus, device: string, driver: string, force = true): void {
  const tree = new ModelTree(bus, { modulesAvailable: false });
  const online = driver !== 'kmem';
  verbs.reconfigure(tree, deviceAt(tree, device), modeOfDriver(driver), { force, online });
}

/** The store that must fail: the nth, or the one to a path. */
export interface Fault {
  nth?: number;
  path?: RegExp;
  /** The store takes effect and fails all the same. */
  isDone?: boolean;
}

/** The tree of a bus with a store that fails once. */
export class FailingTree extends ModelTree {
  /** Stores so far. */
  stores = 0;
  /** Whether the fault happened. */
  isHit = false;

  constructor(
    bus: Bus,
    readonly fault: Fault,
  ) {
    super(bus);
  }

  override write(path: string, text: string): number {
    this.stores += 1;
    const { nth, path: where, isDone } = this.fault;
    const isNow = !this.isHit && (nth === this.stores || where?.test(path) === true);
    if (!isNow) return super.write(path, text);
    this.isHit = true;
    if (isDone) super.write(path, text);
    throw new DaxError(
      'ENOMEM',
      `store ${this.stores}, of ${JSON.stringify(text)} to ${path}, fails: the test says so`,
    );
  }
}
