/** dax/: dax devices, who drives them, who has them open. (signatures first; bodies follow) */
import type { Mapping, PhysicalMemory } from '../memory/index.js';
import type { AddressSpace, MemoryBlocks, MemoryNode, OnlinePolicy, PageTable, ResourceTree } from '../mm/index.js';

// ── core ──
export interface DirectAccess {
  pfn: number;
  /** 1 .. asked; all in one physical range, none poisoned in access mode. */
  pages: number;
  /** Bytes. */
  hpa: number;
}
export declare const MF_MEM_PRE_REMOVE: number;
export declare const MF_ACTION_REQUIRED: number;
export interface HolderOperations {
  /** Device offset and length in bytes. length Infinity = the whole device (pre-remove). */
  notifyFailure(offset: number, length: number, flags: number): void;
}
export declare class DaxDevice {
  readonly name: string;
  readonly devt: string;
  readonly alive: boolean;
  /** Bytes, sum of the ranges while bound to fsdev_dax; 0 else. */
  readonly size: number;
  /** Throws ENXIO on a bus without memory (explore). */
  readonly memory: PhysicalMemory;
  readonly pages: PageTable;
  readonly holder: object | null;
  /** Grows with every bind: cached translations of an older one are void. */
  readonly generation: number;
  /** Translation. ENXIO not alive, EOPNOTSUPP no ops, EINVAL, ERANGE beyond the end, EHWPOISON (mode access). */
  directAccess(pgoff: number, pages: number, mode?: 'access' | 'recovery'): DirectAccess;
  zeroPageRange(pgoff: number, pages: number): void;
  recoveryWrite(pgoff: number, offsetInPage: number, bytes: Uint8Array): number;
  holderGet(holder: object, ops: HolderOperations): void;
  holderPut(holder: object): void;
  notifyFailure(offset: number, length: number, flags: number): void;
  /** Readers (dax_read_lock). @returns the unlock */
  readLock(): () => void;
  readonly readers: number;
}

// ── regions ──
export type RegionType = 'device' | 'kmem';
export interface DaxRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
  /** Pages before it in the device. */
  readonly pageOffset: number;
}
export interface AddRegionOptions {
  /** Default: the lowest free. A static region may share its id with other static ones (namespaces of one nd region). */
  id?: number;
  type: RegionType;
  static?: boolean;
  start: number;
  size: number;
  align: number;
  targetNode: number;
  /** Default: targetNode (0 when that is -1). */
  numaNode?: number;
  /** Dynamic only: device .0 starts with size 0 (hmem region_idle=1). */
  idle?: boolean;
}
export declare class Region {
  readonly id: number;
  readonly type: RegionType;
  readonly isStatic: boolean;
  readonly start: number;
  readonly size: number;
  readonly align: number;
  readonly targetNode: number;
  readonly numaNode: number;
  /** Oldest first. */
  readonly devices: readonly DevDax[];
  /** Bytes no range covers. */
  readonly availableSize: number;
  readonly seed: DevDax | null;
  /** What reading `create` shows. */
  readonly youngest: DevDax | null;
  /** create <- 1. ENOSPC. */
  createDevice(): DevDax;
  /** delete <- name. ENXIO, EBUSY. */
  deleteDevice(name: string): void;
}
export declare class DevDax {
  readonly name: string;
  readonly region: Region;
  readonly instance: number;
  readonly major: number;
  readonly minor: number;
  /** "maj:min". */
  readonly devt: string;
  readonly dax: DaxDevice;
  /** Name of the bound driver. */
  readonly driver: string | null;
  readonly ranges: readonly DaxRange[];
  readonly size: number;
  readonly align: number;
  readonly targetNode: number;
  readonly numaNode: number;
  readonly memmapOnMemory: boolean;
  readonly modalias: string;
  /** hpa of range 0, or the region's start. */
  readonly resource: number;
  /** False after it left the bus. */
  readonly present: boolean;
  /** size <-. EINVAL EBUSY ENOSPC. */
  resize(size: number): void;
  /** mapping <- start-end (inclusive). ENOMEM EBUSY; a misaligned length does nothing. */
  addMapping(start: number, end: number): void;
  /** align <-. EINVAL EBUSY. */
  setAlign(align: number): void;
  setMemmapOnMemory(on: boolean): void;
}

// ── text a store sees (dax-bus.md 1) ──
/** Up to the first NUL. */
export declare function seenByStore(text: string): string;
/** create, size, ... EINVAL, ERANGE. */
export declare function parseNumber(text: string): number;
/** kstrtobool; null for junk. */
export declare function parseBoolean(text: string): boolean | null;
/** Names: one trailing newline is dropped. */
export declare function parseName(text: string): string;
/** Stores by attribute, typed at the text: throw the errno of the kernel. An empty write never reaches them. */
export declare const deviceStores: Record<'size' | 'mapping' | 'align' | 'memmap_on_memory', (device: DevDax, text: string) => void>;
export declare const regionStores: Record<'create' | 'delete', (region: Region, text: string) => void>;
export declare const driverStores: Record<'bind' | 'unbind' | 'new_id' | 'remove_id', (bus: Bus, driver: string, text: string) => void>;
export declare const busStores: Record<'drivers_autoprobe' | 'drivers_probe', (bus: Bus, text: string) => void>;

// ── drivers, modules, uevents ──
export interface DaxDriver {
  /** Also its module's name: device_dax, fsdev_dax, kmem. */
  readonly name: string;
  /** Ids in the order they were given. */
  readonly ids: readonly string[];
  matches(device: DevDax): boolean;
}
export interface Module {
  readonly name: string;
  /** 2 per open file. */
  readonly refcount: number;
}
export interface Uevent {
  action: 'add' | 'remove' | 'bind' | 'unbind' | 'change';
  device: string;
  region: Region;
  major: number;
  minor: number;
  /** DRIVER=, with bind and (synthetic) events of a bound device. */
  driver: string | null;
}
export interface BusOptions {
  /** None: explore and unit tests; loads answer 0, stores go nowhere. */
  memory?: PhysicalMemory;
  quirks?: Iterable<string>;
  /** Default 128 MiB. */
  memoryBlockBytes?: number;
  /** auto_online_blocks, default 'online'. */
  autoOnline?: OnlinePolicy;
  /** The global memmap_on_memory switch, default off. */
  memmapOnMemory?: boolean;
}
export declare class Bus {
  constructor(options?: BusOptions);
  readonly memory: PhysicalMemory | null;
  readonly pages: PageTable;
  readonly resources: ResourceTree;
  readonly memoryBlocks: MemoryBlocks;
  readonly quirks: ReadonlySet<string>;
  readonly memmapOnMemoryAllowed: boolean;
  autoprobe: boolean;
  /** In the order they were added. */
  readonly regions: readonly Region[];
  /** All devices, regions in order, oldest first. */
  devices(): DevDax[];
  /** In registration order. */
  readonly drivers: readonly DaxDriver[];
  /** In load order. */
  readonly modules: readonly Module[];
  device(name: string): DevDax | undefined;
  deviceByDevt(devt: string): DevDax | undefined;
  driver(name: string): DaxDriver | undefined;
  region(id: number): Region | undefined;

  addRegion(options: AddRegionOptions): Region;
  /** Never refused; devices unbound and removed youngest first. ENODEV unknown. */
  removeRegion(region: number | Region): void;

  /** EEXIST, ENOENT. */
  insmod(name: string): void;
  /** EAGAIN in use, ENOENT. */
  rmmod(name: string): void;
  /** EINVAL for a spelling that is not canonical; ENODEV unknown driver. */
  newId(driver: string, id: string): void;
  removeId(driver: string, id: string): void;
  /** ENODEV, EBUSY, or the probe's error. */
  bind(driver: string, device: string): void;
  unbind(driver: string, device: string): void;
  /** drivers_probe. ENODEV. */
  probe(device: string): void;

  /** Since the last call. */
  takeUevents(): Uevent[];
  /** Kernel log lines since the last call: "<4>device_dax dax0.0: ...". */
  takeLog(): string[];
  /** A synthetic uevent (a store to an uevent attribute). */
  emitUevent(action: Uevent['action'], device: DevDax): void;

  /** open(2) of the device node. ENOENT gone, ENXIO nobody drives it, EINVAL O_DIRECT. */
  open(device: string, flags?: OpenFlags): OpenFile;
  openDevt(devt: string, flags?: OpenFlags): OpenFile;
  readonly openFiles: ReadonlySet<OpenFile>;

  /** hard_offline_page, hpa in bytes: poisons the page and tells its owner. EBUSY EIO EINVAL ENXIO. */
  hardOffline(hpa: number): MemoryFailureResult;
  softOffline(hpa: number): void;
  /** udax's own injection (decision 13): poisons [hpa, hpa+length), tells holders and detaches mappings; never EBUSY. */
  memoryFailure(hpa: number, length: number): MemoryFailureResult;
  node(id: number): MemoryNode | undefined;

  snapshot(): BusState;
  restore(state: BusState): void;
}
export interface MemoryFailureResult {
  device: string | null;
  /** Whether the holder took it. */
  notified: boolean;
  /** Mappings over it: where (bytes from the mapping's start) and log2 of the unit lost. */
  mappers: { vma: Vma; offset: number; lsb: number }[];
}

// ── files ──
export interface OpenFlags {
  /** Default 'rw'. */
  access?: 'ro' | 'wo' | 'rw';
  direct?: boolean;
  /** O_PATH: opens anything that has a node. */
  path?: boolean;
}
export type SignalAnswer = { ok: true; value: number } | { ok: false; signal: 'SIGBUS' | 'SIGSEGV'; code: string; offset: number };
export interface MmapOptions {
  offset: number;
  length: number;
  /** Subset of "rwx". */
  prot: string;
  type: 'shared' | 'private' | 'shared_validate';
  sync?: boolean;
  populate?: boolean;
  locked?: boolean;
  /** MAP_FIXED at this address; default: the chooser gives one aligned to align. */
  address?: number;
}
/** One open(2). Every call throws the errno of dax-bus.md 7. */
export declare class OpenFile {
  readonly device: DevDax;
  readonly flags: OpenFlags;
  readonly closed: boolean;
  /** The driver still drives it as when it was opened. */
  readonly live: boolean;
  mmap(options: MmapOptions): Vma;
  /** A real, bounds-checked mapping (decision 9). EINVAL bounds/align, ENXIO not device_dax any more, EACCES, ERANGE. */
  map(options: { offset: number; length: number; writable: boolean }): Mapping;
  read(length: number): number;
  write(length: number): number;
  lseek(offset: number, whence: 'set' | 'cur' | 'end' | 'data' | 'hole'): number;
  ioctl(command: number): number;
  fallocate(): number;
  ftruncate(): number;
  fsync(): number;
  poll(): string[];
  close(): void;
}
/** One mmap(2) of the model: answers loads and stores as the kernel does, signals as values. */
export declare class Vma {
  readonly file: OpenFile;
  readonly mapping: AddressSpace;
  readonly address: number;
  readonly length: number;
  readonly offset: number;
  readonly prot: string;
  load(offset: number): SignalAnswer;
  store(offset: number, byte: number): SignalAnswer;
  fill(byte: number, offset?: number, length?: number): SignalAnswer;
  munmap(offset?: number, length?: number): void;
  mprotect(offset: number, length: number, prot: string): void;
  msync(): void;
  mlock(): void;
  mremap(length: number): void;
  madvise(offset: number, length: number, advice: string): void;
  /** A child that inherited it touches the page. */
  fork(): Vma;
}

// ── quirks, invariants, state ──
export declare const QUIRKS: readonly { flag: string; kind: 'upstream' | 'kernel72'; about: string; invariant: string }[];
/** What the flag names; a set name like linux-7.2 stands for its flags. EINVAL unknown. */
export declare function expandQuirks(names: Iterable<string>): Set<string>;
/** I1-I6, I10-I12 as far as a bus can see them: one line a violation, empty when all hold. */
export declare function checkInvariants(bus: Bus): string[];
/** Plain JSON. Persisted by machine/. */
export interface BusState {
  autoprobe: boolean;
  autoOnline: OnlinePolicy;
  modules: { name: string; ids: string[] }[];
  regions: RegionState[];
  memoryBlocks: { id: number; state: OnlinePolicy }[];
  stranded: { device: string; start: number; end: number; node: number }[];
  poison: { pfn: number; pages: number }[];
}
export interface RegionState {
  id: number;
  type: RegionType;
  isStatic: boolean;
  start: number;
  size: number;
  align: number;
  targetNode: number;
  numaNode: number;
  seed: string | null;
  youngest: string | null;
  devices: DeviceState[];
}
export interface DeviceState {
  name: string;
  minor: number;
  align: number;
  memmapOnMemory: boolean;
  ranges: { start: number; end: number }[];
  driver: string | null;
}
