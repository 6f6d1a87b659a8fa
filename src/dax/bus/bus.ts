import { fail } from '../../libc/index.js';
import type { PhysicalMemory } from '../../memory/index.js';
import { MemoryBlocks, type MemoryNode, PageTable, ResourceTree } from '../../mm/index.js';
import type { Incident, Platform, StrandedMemory } from '../core/platform.js';
import { DaxRegistry } from '../core/registry.js';
import type { DaxDriver } from '../drivers/driver.js';
import type { OpenFile, OpenFlags } from '../files/open-file.js';
import type { Vma } from '../files/vma.js';
import { expandQuirks } from '../quirks.js';
import type { DevDax } from '../regions/dev-dax.js';
import { parseDeviceId } from '../regions/parse.js';
import type { AddRegionOptions, Region, RegionHost } from '../regions/region.js';
import { Binder } from './binder.js';
import { DeviceList } from './device-list.js';
import { FileTable, Minors } from './file-table.js';
import { Journal, type Uevent, Uevents } from './journal.js';
import { hardOffline, type MemoryFailureResult, memoryFailure, softOffline } from './memory-failure.js';
import { type Module, Modules } from './modules.js';
import type { BusOptions, BusParts } from './parts.js';
import { RegionList } from './region-list.js';
import { restore } from './restore.js';
import { type BusState, snapshot } from './state.js';

/** Major number of the device nodes. */
const DAX_MAJOR = 251;

/**
 * The dax bus: regions, devices, drivers and open files. Every method that changes something either completes, or throws and
 * leaves everything as it was (I12).
 */
export class Bus {
  readonly memory: PhysicalMemory | null;
  readonly pages = new PageTable();
  readonly resources = new ResourceTree();
  readonly memoryBlocks: MemoryBlocks;
  readonly quirks: ReadonlySet<string>;
  readonly platform: Platform;
  readonly registry: DaxRegistry;
  readonly uevents = new Uevents();
  readonly minors = new Minors();
  readonly #autoprobe = { on: true };
  readonly #modules: Modules;
  readonly #regions = new RegionList();
  readonly #devices: DeviceList;
  readonly #files: FileTable;
  readonly #binder: Binder;
  readonly #host: RegionHost;
  #parts: BusParts | null = null;
  readonly #journal = new Journal();

  constructor(options: BusOptions = {}) {
    this.memory = options.memory ?? null;
    this.quirks = expandQuirks(options.quirks ?? []);
    this.memoryBlocks = new MemoryBlocks({
      memory: this.memory,
      ...(options.memoryBlockBytes === undefined ? {} : { blockBytes: options.memoryBlockBytes }),
      ...(options.autoOnline === undefined ? {} : { autoOnline: options.autoOnline }),
    });
    this.platform = {
      memory: this.memory,
      pages: this.pages,
      resources: this.resources,
      memoryBlocks: this.memoryBlocks,
      quirks: this.quirks,
      stranded: [],
      memmapOnMemoryAllowed: options.memmapOnMemory ?? false,
      failProbeAtStep: null,
      log: (level, text) => this.#journal.log(level, text),
      report: (incident) => this.#journal.incidents.push(incident),
    };
    const { platform, uevents, minors } = this;
    this.registry = new DaxRegistry(this.quirks);
    this.#devices = new DeviceList(this.registry);
    this.#modules = new Modules(platform);
    this.#files = new FileTable(platform, this.#modules, minors, this);
    this.#binder = new Binder(
      platform,
      this.#modules,
      this.#devices,
      this.#regions.all,
      this.#files,
      uevents,
    );
    this.#host = {
      platform,
      major: DAX_MAJOR,
      allocateMinor: () => minors.allocate(),
      freeInstance: (id) => this.#devices.freeInstance(id),
      deviceAdded: (device) => this.#deviceAdded(device),
      deviceRemoved: (device) => this.#deviceRemoved(device),
    };
  }

  // ---- inspection ----

  /** drivers_autoprobe. It does not stop new_id, bind or drivers_probe. */
  get autoprobe(): boolean {
    return this.#autoprobe.on;
  }

  set autoprobe(on: boolean) {
    this.#autoprobe.on = on;
  }

  /** In the order they were added. */
  get regions(): readonly Region[] {
    return this.#regions.all;
  }

  /** All devices, in the order they appeared. */
  devices(): readonly DevDax[] {
    return this.#devices.all;
  }

  /** In registration order. */
  get drivers(): readonly DaxDriver[] {
    return this.#modules.drivers;
  }

  /** In load order. */
  get modules(): readonly Module[] {
    return this.#modules.list;
  }

  device(name: string): DevDax | undefined {
    return this.#devices.byName(name);
  }

  /** @param devt "maj:min" */
  deviceByDevt(devt: string): DevDax | undefined {
    return this.#devices.byDevt(devt);
  }

  driver(name: string): DaxDriver | undefined {
    return this.#modules.driver(name);
  }

  /** The first region of that id (static regions may share an id). */
  region(id: number): Region | undefined {
    return this.#regions.byId(id);
  }

  regionOf(device: DevDax): Region {
    return this.#regions.of(device);
  }

  get memmapOnMemoryAllowed(): boolean {
    return this.platform.memmapOnMemoryAllowed;
  }

  /** Memory that a kmem unbind could not take back. */
  get stranded(): readonly StrandedMemory[] {
    return this.platform.stranded;
  }

  /** The incidents of quirks so far. */
  get incidents(): readonly Incident[] {
    return this.#journal.incidents;
  }

  get openFiles(): ReadonlySet<OpenFile> {
    return this.#files.files;
  }

  get vmas(): ReadonlySet<Vma> {
    return this.#files.vmas;
  }

  node(id: number): MemoryNode | undefined {
    return this.memoryBlocks.node(id);
  }

  // ---- regions ----

  /** Adds a region and its first device. @throws DaxError EEXIST the id is taken; EBUSY its memory is taken; EINVAL sizes */
  addRegion(options: AddRegionOptions): Region {
    const region = this.#regions.add(this.#host, options);
    region.addFirstDevice((options.idle ?? false) && !region.isStatic);
    return region;
  }

  /**
   * Removes a region. Its devices are unbound and removed, youngest first. Drivers and files cannot refuse it.
   * @throws DaxError ENODEV unknown; EDEADLK from within a call into one of its devices
   */
  removeRegion(which: number | Region): void {
    const region = this.#regions.known(which);
    for (const device of region.devices) device.dax.mustHaveNoReaders();
    for (const device of [...region.devices].reverse()) {
      if (device.binding !== null) this.#binder.unbind(device);
      region.drop(device);
    }
    this.#regions.remove(region);
  }

  // ---- modules ----

  /**
   * Loads a module. With autoprobe its driver is offered every unbound device that it matches.
   * @throws DaxError EEXIST loaded already; ENOENT no such module
   */
  insmod(name: string): void {
    const driver = this.#modules.load(name);
    if (driver !== null && this.autoprobe) this.#binder.attachAll(driver);
  }

  /**
   * Unloads a module. Its devices become unbound and are not offered to other drivers. Its ids are lost.
   * @throws DaxError EAGAIN in use; ENOENT not loaded; EDEADLK from within a call into one of its devices
   */
  rmmod(name: string): void {
    const module = this.#modules.unloadable(name);
    const devices = this.#binder.boundTo(name);
    for (const device of devices) device.dax.mustHaveNoReaders();
    for (const device of devices.reverse()) this.#binder.unbind(device);
    this.#modules.remove(module);
  }

  // ---- drivers (a driver has the name of its module; ENODEV unknown driver) ----

  /** Adds an id, then offers the driver all unbound devices. Probe failures are not thrown. @throws DaxError EINVAL no device id */
  newId(driverName: string, id: string): void {
    const driver = this.#driver(driverName);
    driver.addId(parseDeviceId(id));
    this.#binder.attachAll(driver);
  }

  /** Removes an id; never unbinds. @throws DaxError EINVAL no device id */
  removeId(driverName: string, id: string): void {
    this.#driver(driverName).removeId(parseDeviceId(id));
  }

  /** Binds a device to a driver. @throws DaxError ENODEV unknown device or no match; EBUSY bound already; or the probe's own error */
  bind(driverName: string, deviceName: string): void {
    const driver = this.#driver(driverName);
    const device = this.#device(deviceName);
    if (!driver.matches(device))
      fail('ENODEV', `${driverName} does not match ${deviceName}: give it the id first (new_id)`, {
        path: deviceName,
      });
    if (device.binding !== null)
      fail('EBUSY', `${deviceName} is bound to ${device.driver} already`, { path: deviceName });
    this.#binder.probe(driver, device);
  }

  /**
   * Unbinds a device. Open files and mappings cannot refuse it.
   * @throws DaxError ENODEV unknown, not bound, or bound to another driver; EDEADLK from within a call into the device
   */
  unbind(driverName: string, deviceName: string): void {
    this.#driver(driverName);
    const device = this.#devices.byName(deviceName);
    if (device === undefined || device.driver !== driverName)
      fail('ENODEV', `${deviceName} is not bound to ${driverName}`, { path: deviceName });
    device.dax.mustHaveNoReaders();
    this.#binder.unbind(device);
  }

  /** drivers_probe: offers a device to the drivers. Succeeds even if none binds. @throws DaxError ENODEV unknown */
  probe(deviceName: string): void {
    const device = this.#device(deviceName);
    this.#binder.attach(device);
  }

  // ---- device files ----

  /** open(2) of /dev/NAME. @throws DaxError ENOENT no such device; ENXIO no driver, or kmem; EINVAL O_DIRECT */
  open(deviceName: string, flags: OpenFlags = {}): OpenFile {
    const device = this.#devices.byName(deviceName);
    if (device === undefined) return fail('ENOENT', `there is no /dev/${deviceName}`, { path: deviceName });
    return this.#files.open(device, flags);
  }

  /** open(2) of a node with this number ("maj:min"). @throws DaxError ENXIO no device has it; and as open() */
  openDevt(devt: string, flags: OpenFlags = {}): OpenFile {
    const device = this.deviceByDevt(devt);
    if (device === undefined) return fail('ENXIO', `no device has the number ${devt}`);
    return this.#files.open(device, flags);
  }

  // ---- memory failure ----

  /** hard_offline_page (hpa in bytes). @throws DaxError EBUSY nobody recovers it; or the error of the holder */
  hardOffline(hpa: number, flags = 0): MemoryFailureResult {
    return hardOffline(this, hpa, flags);
  }

  /** soft_offline_page (hpa in bytes). @throws DaxError EIO device memory, or an offline block; ENXIO no driver */
  softOffline(hpa: number): void {
    softOffline(this, hpa);
  }

  /**
   * udax's own injection (decision 13). The pages are poisoned whoever uses them, holders are told, mappings over the pages are
   * detached, and node allocators drop the pages.
   */
  memoryFailure(hpa: number, length: number): MemoryFailureResult {
    return memoryFailure(this, hpa, length);
  }

  /** Removes memory that kmem stranded; its blocks go offline first. @throws DaxError EBUSY pages are in use; EINVAL not stranded */
  forgetStranded(memory: StrandedMemory): void {
    const { stranded } = this.platform;
    const at = stranded.indexOf(memory);
    if (at < 0) fail('EINVAL', `no memory of ${memory.device} is stranded there`);
    this.memoryBlocks.offlineAll(memory.start, memory.end - memory.start + 1);
    this.memoryBlocks.remove(memory.start, memory.end - memory.start + 1);
    this.resources.release(memory.resource);
    stranded.splice(at, 1);
  }

  // ---- events and log ----

  /** Takes the events since the last call, oldest first. */
  takeUevents(): Uevent[] {
    return this.uevents.take();
  }

  /** Emits a synthetic event (a store to a uevent attribute). */
  emitUevent(action: string, device: DevDax, synthetic: readonly string[] = ['SYNTH_UUID=0']): void {
    this.uevents.emit(action, device, synthetic);
  }

  /** Takes the kernel log lines since the last call: "<4>device_dax dax0.0: ...". */
  takeLog(): string[] {
    return this.#journal.take();
  }

  // ---- stored state ----

  /** The state that outlives a process, as plain JSON. */
  snapshot(): BusState {
    return snapshot(this.parts);
  }

  /**
   * Brings this bus, new or live, into a stored state: no uevents, no policy, no wiping. Regions and devices that are as stored
   * are not touched, and keep their open files and holders.
   * @returns what could not be restored, one line each
   */
  restore(state: BusState): string[] {
    return restore(this.parts, state);
  }

  /** The internals, for code that restores a state or undoes a change. */
  get parts(): BusParts {
    this.#parts ??= this.#makeParts();
    return this.#parts;
  }

  // ---- internals ----

  #makeParts(): BusParts {
    return {
      platform: this.platform,
      pages: this.pages,
      memoryBlocks: this.memoryBlocks,
      host: this.#host,
      modules: this.#modules,
      regions: this.#regions.all,
      devices: this.#devices,
      binder: this.#binder,
      uevents: this.uevents,
      minors: this.minors,
      autoprobe: this.#autoprobe,
      removeRegion: (region) => this.removeRegion(region),
      forgetStranded: (memory) => this.forgetStranded(memory),
    };
  }

  #driver(name: string): DaxDriver {
    return (
      this.#modules.driver(name) ?? fail('ENODEV', `driver ${name} is not loaded: load its module first`)
    );
  }

  #device(name: string): DevDax {
    return this.#devices.byName(name) ?? fail('ENODEV', `there is no device ${name}`, { path: name });
  }

  #deviceAdded(device: DevDax): void {
    this.#devices.add(device);
    this.uevents.emit('add', device);
    if (this.autoprobe) this.#binder.attach(device);
  }

  #deviceRemoved(device: DevDax): void {
    this.#devices.remove(device);
    if (device.nodeCorrupt)
      this.platform.report({
        quirk: 'kernel72-rebind-open-file',
        invariant: 'I3',
        text: `${device.name}: removing its node is a list corruption (BUG in cd_forget)`,
      });
    if (!this.#files.isOpen(device)) this.minors.free(device.minor);
    this.uevents.emit('remove', device);
  }
}
