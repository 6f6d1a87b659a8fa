import type { Bus, DevDax } from '../../dax/index.js';
import { systemUuid } from '../../famfs/index.js';
import { checkMethods, fail, parseSize, patienceIn } from '../../libc/index.js';
import { PAGE_SIZE } from '../../mm/index.js';
import { carving, type DevicePlace, deviceAt, ModelTree, verbs } from '../../tree/index.js';
import { describeHolders } from '../holders.js';
import type {
  CreateRegionOptions,
  DaxMachine,
  DeviceInfo,
  DeviceMode,
  HolderInfo,
  MachineDevice,
  MachineStatus,
  MemoryNodeHandle,
  OpenDax,
  OpenMachineOptions,
  PoisonRange,
  RegionInfo,
} from '../types.js';
import {
  describeDevice,
  describePoison,
  describeRegion,
  deviceNamed,
  physicalPieces,
  regionNumbered,
} from './describe.js';
import { NamedDevice } from './device.js';
import { nodeHolderName, refuseIfHeldByOthers } from './held-changes.js';
import { machineArguments } from './machine-arguments.js';
import { NodeMemory } from './node-memory.js';
import { RawDevice } from './raw-device.js';
import { createRegion } from './regions.js';
import { SharedBus } from './shared-bus.js';

/**
 * One host's regions, devices and drivers, kept in a state directory that any number of processes share.
 * Every method answers with the current state. Every change is complete or absent (I12), for all processes at once.
 * Sizes are bytes or text like `1GiB`. A device that another process holds cannot be changed (EBUSY names the holders).
 */
export class Machine implements DaxMachine {
  readonly #shared: SharedBus;
  readonly #nodes = new Map<number, NodeMemory>();
  readonly #rawDevices = new Set<RawDevice>();
  #uuid: string | undefined;

  /** Use {@link openMachine}. */
  constructor(
    readonly root: string,
    options: OpenMachineOptions = {},
  ) {
    this.#shared = new SharedBus(root, { create: options.create ?? false, patience: patienceIn(options) });
  }

  /** The model itself, up to date. For reading only: changes go through {@link change}. */
  get bus(): Bus {
    return this.#shared.current;
  }

  /** Reads the up-to-date model. */
  view<T>(read: (bus: Bus) => T): T {
    return read(this.#shared.current);
  }

  /**
   * Changes the model under the machine's lock, then writes machine.json. When `apply` throws, everything is as before.
   * For the layers above, such as the sysfs tree. A change of a device that another process holds is refused, whatever made the
   * change.
   * @throws DaxError EBUSY naming holders, EACCES, ENOSPC (machine.json cannot be written), and whatever `apply` throws
   */
  change<T>(apply: (bus: Bus) => T): T {
    return this.#shared.change(apply);
  }

  // Regions

  /**
   * Adds memory to the machine, with device `.0` over all of it. The usual matching binds the device to a driver.
   * @throws DaxError EINVAL (size, align, backing too small), EBUSY (bytes in use by another region), ENOSPC, ENOENT, EACCES
   */
  createRegion(options: CreateRegionOptions): RegionInfo {
    // Described after the change, because the memory gets its final name only then.
    return this.region(this.#shared.change((bus) => createRegion(this.#shared, bus, options)));
  }

  /**
   * Removes a region and its devices from the machine. A default backing file is deleted; a user's own file never is.
   * @param options force: remove it even when this process has a device of it open (its views become length 0), or when memory of
   *   it is online
   * @throws DaxError ENODEV, EBUSY naming holders
   */
  destroyRegion(id: number, options: { force?: boolean } = {}): void {
    const force = options.force ?? false;
    this.#shared.change((bus) => {
      const region = regionNumbered(bus, id);
      for (const device of region.devices) this.#requireUnused(device, force);
      const tree = new ModelTree(bus);
      for (const { name } of [...region.devices].reverse())
        verbs.disable(tree, deviceAt(tree, name), { force });
      bus.removeRegion(region);
    });
  }

  /** All regions, by id. */
  regions(): RegionInfo[] {
    const bus = this.#shared.current;
    return bus.regions.map((region) => this.#describeRegion(bus, region.id));
  }

  /** @throws DaxError ENODEV */
  region(id: number): RegionInfo {
    return this.#describeRegion(this.#shared.current, id);
  }

  // Devices

  /** All devices, by name. */
  devices(): DeviceInfo[] {
    return this.#shared.current.devices().map(describeDevice);
  }

  /** @throws DaxError ENODEV */
  deviceInfo(name: string): DeviceInfo {
    return describeDevice(deviceNamed(this.#shared.current, name));
  }

  /**
   * Makes a device of a dynamic region, in devdax mode.
   * @param options size: default all free bytes of the region
   * @throws DaxError ENODEV, ENOSPC, EINVAL, EOPNOTSUPP (static region)
   */
  createDevice(
    region: number,
    options: { size?: number | string; align?: number | string } = {},
  ): DeviceInfo {
    const size = options.size === undefined ? undefined : parseSize(options.size, 'device size');
    const align = options.align === undefined ? undefined : parseSize(options.align, 'align');
    return this.#shared.change((bus) => {
      const { name } = carving.createDevice(new ModelTree(bus), region, { size, align });
      return describeDevice(deviceNamed(bus, name));
    });
  }

  /**
   * Grows or shrinks a disabled device of a dynamic region. It shrinks from its end; 0 empties it. Its contents and its state stay.
   * @throws DaxError ENODEV, EINVAL not a multiple of 2 MiB and of the align, EBUSY enabled, ENOSPC, EACCES static region
   */
  resizeDevice(name: string, size: number | string): DeviceInfo {
    const bytes = parseSize(size, 'device size');
    return this.#changeDevice(name, (tree, place) => carving.resizeDevice(tree, place, bytes));
  }

  /** Destroys a device. Instance 0 stays, at size 0. @throws DaxError ENODEV, EBUSY enabled (disable it first, or force) */
  destroyDevice(name: string, options: { force?: boolean } = {}): void {
    const force = options.force ?? false;
    this.#shared.change((bus) => {
      this.#requireUnused(deviceNamed(bus, name), force);
      const tree = new ModelTree(bus);
      carving.destroyDevice(tree, deviceAt(tree, name), { force });
    });
  }

  /** Enables a device (enable-device), in devdax mode whatever it was before (daxctl 85). Enabled devices stay as they are. */
  enable(name: string): DeviceInfo {
    return this.#changeDevice(name, (tree, place) => verbs.enable(tree, place));
  }

  /**
   * Disables a device (disable-device). Without force it is refused when any process has the device open. With force the handles
   * of this process die (their views become length 0) and online memory goes offline first. A device that another process holds
   * is refused even then.
   * @throws DaxError ENODEV, EBUSY naming holders
   */
  disable(name: string, options: { force?: boolean } = {}): DeviceInfo {
    const force = options.force ?? false;
    return this.#changeDevice(name, (tree, place, device) => {
      this.#requireUnused(device, force);
      verbs.disable(tree, place, { force });
    });
  }

  /**
   * Changes the mode of a device (reconfigure-device), with daxctl's rules (kernel-dax.md 11). The handles of this process on the
   * device die, as an unbind kills them.
   * @param options online: bring system-ram online (default); force: take memory offline first, ignore the auto-online policy
   * @throws DaxError ENODEV, EINVAL (system-ram to famfs), EBUSY (holders, memory online), the driver's probe error
   */
  reconfigure(
    name: string,
    mode: DeviceMode,
    options: { force?: boolean; online?: boolean } = {},
  ): DeviceInfo {
    const { force = false, online = true } = options;
    return this.#changeDevice(name, (tree, place, device) => {
      this.#requireNoOthers(device);
      verbs.reconfigure(tree, place, mode, { force, online });
    });
  }

  /**
   * Brings a device's memory online. Returns how many blocks went online.
   * @throws DaxError ENODEV, EINVAL not in system-ram mode
   */
  onlineMemory(name: string, options: { movable?: boolean } = {}): number {
    return this.#shared.change((bus) => {
      const tree = new ModelTree(bus);
      return verbs.onlineMemory(tree, deviceAt(tree, name), { movable: options.movable ?? true });
    });
  }

  /**
   * Takes a device's memory offline. Returns how many blocks went offline.
   * @throws DaxError ENODEV, EINVAL, EBUSY buffers in use
   */
  offlineMemory(name: string): number {
    return this.#shared.change((bus) => {
      this.#requireNoOthers(deviceNamed(bus, name));
      const tree = new ModelTree(bus);
      return verbs.offlineMemory(tree, deviceAt(tree, name));
    });
  }

  // Use

  /** Returns a device by name, for mkfs, mounting and fsck. It is looked up at each use. @throws DaxError ENODEV */
  device(name: string): MachineDevice {
    deviceNamed(this.#shared.current, name);
    return new NamedDevice(name, this.#shared, () => this.systemUuid());
  }

  /** Opens a device in devdax mode for raw shared mappings. @throws DaxError ENODEV, ENXIO, EBUSY, EACCES */
  openDax(name: string, options: { writable?: boolean } = {}): OpenDax {
    const opened = RawDevice.open(this.#shared, name, options, (closed) => this.#rawDevices.delete(closed));
    this.#rawDevices.add(opened);
    return opened;
  }

  /** The allocator of a system-ram node. */
  node(id: number): MemoryNodeHandle {
    const known = this.#nodes.get(id);
    if (known) return known;
    const node = new NodeMemory(id, this.#shared);
    this.#nodes.set(id, node);
    return node;
  }

  // Poison

  /**
   * Reports or injects a memory failure: the pages are poisoned, their owners are told, and mappings over them are detached.
   * Other processes do the same at their next call.
   * @param at offset and length in bytes (default one page), widened to whole pages
   * @throws DaxError ENODEV, EINVAL outside the device
   */
  memoryFailure(at: { device: string; offset: number; length?: number }): void {
    this.#shared.change((bus) => {
      const device = deviceNamed(bus, at.device);
      const { offset, length = PAGE_SIZE } = at;
      const isInside =
        Number.isSafeInteger(offset) &&
        Number.isSafeInteger(length) &&
        offset >= 0 &&
        length > 0 &&
        offset + length <= device.size;
      if (!isInside) {
        fail('EINVAL', `${at.device} has ${device.size} bytes: no ${length} bytes at ${offset}`, {
          path: at.device,
        });
      }
      const first = Math.floor(offset / PAGE_SIZE) * PAGE_SIZE;
      const end = Math.ceil((offset + length) / PAGE_SIZE) * PAGE_SIZE;
      for (const piece of physicalPieces(device, first, end - first))
        bus.memoryFailure(piece.start, piece.length);
    });
  }

  /** Poisoned ranges by device, in bytes. */
  poisonList(): PoisonRange[] {
    return describePoison(this.#shared.current);
  }

  /** Clears all poison, for memory that was replaced or whose poison was injected. */
  clearPoison(): void {
    this.#shared.change((bus) => {
      for (const { pfn, pages } of bus.pages.poisonedRanges()) bus.pages.unpoison(pfn, pages);
    });
  }

  // Holders and status

  /** Lists which process has which device open. */
  holders(device?: string): HolderInfo[] {
    const names = this.#shared.current.devices().map(({ name }) => name);
    return this.#shared.holders
      .list(names)
      .filter((record) => device === undefined || record.device === device)
      .map(({ pid, startTime, command, device: name, purpose }) => ({
        pid,
        startTime,
        command,
        device: name,
        purpose,
      }));
  }

  /** All that the machine has now. */
  status(): MachineStatus {
    const bus = this.#shared.current;
    const { mappings, mappedBytes, moved } = this.#shared.memory.stats();
    return {
      root: this.root,
      generation: this.#shared.generation,
      modules: bus.modules.map((module) => module.name),
      regions: this.regions(),
      devices: this.devices(),
      holders: this.holders(),
      poison: this.poisonList(),
      nodes: bus.memoryBlocks.nodes().map((node) => {
        const { id, onlineBytes, usedBytes } = node.stats();
        return { id, totalBytes: node.blockCount * bus.memoryBlocks.blockBytes, onlineBytes, usedBytes };
      }),
      process: { mappings, mappedBytes, ...(moved !== undefined && { moved }) },
    };
  }

  /** The owner id this host writes into superblocks (table of defaults). */
  systemUuid(): string {
    this.#uuid ??= systemUuid(this.root);
    return this.#uuid;
  }

  /** Closes everything this object has open; its views become length 0. Idempotent. */
  close(): void {
    for (const device of [...this.#rawDevices]) device.close();
    for (const node of this.#nodes.values()) node.close();
    this.#shared.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #changeDevice(
    name: string,
    apply: (tree: ModelTree, place: DevicePlace, device: DevDax) => void,
  ): DeviceInfo {
    return this.#shared.change((bus) => {
      const device = deviceNamed(bus, name);
      const tree = new ModelTree(bus);
      apply(tree, deviceAt(tree, name), device);
      return describeDevice(device);
    });
  }

  #describeRegion(bus: Bus, id: number): RegionInfo {
    return describeRegion(regionNumbered(bus, id), this.#shared.backingOf(id));
  }

  /** Checks before anything changes, so that a refusal has no side effect on this process's mappings. */
  #requireNoOthers(device: DevDax): void {
    refuseIfHeldByOthers(device.name, this.#shared.holders);
    if (device.driver === 'kmem')
      refuseIfHeldByOthers(nodeHolderName(device.targetNode), this.#shared.holders);
  }

  #requireUnused(device: DevDax, force: boolean): void {
    this.#requireNoOthers(device);
    const own = this.#shared.holders.ownOf(device.name);
    if (own.length > 0 && !force) {
      const who = describeHolders(own.map((holder) => holder.record));
      fail(
        'EBUSY',
        `${device.name} is in use by this process, ${who}: close it first, or use force (its views end)`,
        {
          path: device.name,
        },
      );
    }
  }
}

checkMethods(Machine, machineArguments);
