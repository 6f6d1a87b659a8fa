/** What the server tells the page: plain data, shared by both. Bytes are numbers; times are milliseconds since 1970. */

/** A process that has a device open. */
export interface ShownHolder {
  pid: number;
  startTime: number;
  command: string;
  device: string;
  purpose: string;
}

/** What a cell of the memory map is, by number. `several`: units of more than one file; `slack`: behind the last byte of its file. */
export const CELL_KINDS = [
  'free',
  'metadata',
  'file',
  'several',
  'removed',
  'settling',
  'slack',
  'poison',
  'raw',
] as const;
export type CellKind = (typeof CELL_KINDS)[number];

export const MODES = ['famfs', 'devdax', 'system-ram'] as const;
export type ShownMode = (typeof MODES)[number];

export interface Refused {
  error: { code: string; message: string; path?: string };
}

export interface BusDevice {
  name: string;
  region: number;
  size: number;
  align: number;
  targetNode: number;
  mode: string;
  driver: string | null;
  state: 'enabled' | 'disabled';
  /** Host physical addresses; `end` is inclusive. */
  ranges: { start: number; end: number }[];
  holders: ShownHolder[];
  poison: { offset: number; length: number }[];
}

export interface BusRegion {
  id: number;
  static: boolean;
  size: number;
  availableSize: number;
  align: number;
  targetNode: number;
  /** Null when it is the kernel's. */
  backing: { path: string; kind: string; problem?: string } | null;
  devices: string[];
}

/** A mount of this host that the state directory or the kernel knows. */
export interface ShownMount {
  mountpoint: string;
  what: string;
  state: string;
  pid: number | null;
}

export interface BusView {
  root: string;
  /** Counts the changes of machine.json; null on the kernel's bus. */
  generation: number | null;
  modules: string[];
  regions: BusRegion[];
  devices: BusDevice[];
  nodes: { id: number; totalBytes: number; onlineBytes: number; usedBytes: number }[];
  mounts: ShownMount[];
  /** Why nothing may be changed through this page; null when it may. */
  readOnly: string | null;
  pid: number;
}

/** What would happen if a device were put into a mode. */
export interface ModeCheck {
  mode: ShownMode;
  /** Null: nothing that can be seen from here speaks against it. */
  refusal: { code: string; message: string } | null;
  consequence: string;
}

export interface MapView {
  device: string;
  /** Bytes of the device, of an allocation unit, and of what is shown. */
  size: number;
  unit: number;
  from: number;
  to: number;
  cellBytes: number;
  /** Of each cell: its kind, the inode number of its only file (0: none or several), and how much of it is taken, 0 to 255. */
  kinds: number[];
  owners: number[];
  fills: number[];
  /** Cells of which some process has bytes mapped. */
  mapped: number[];
  /** Why files are not shown; null when they are. */
  problem: string | null;
}

/** Bytes of a device that a process has mapped. */
export interface ShownMapping {
  pid: number;
  command: string;
  offset: number;
  length: number;
  /** Stores reach the memory. */
  isWritable: boolean;
}

/** What lies at one byte of a device. */
export interface PlaceView {
  offset: number;
  kind: CellKind;
  ino: number;
  path: string | null;
  size: number;
  /** Which byte of the file it is; null for what is no file. */
  fileOffset: number | null;
  extents: number;
  strips: number;
  /** Who has this byte mapped. */
  mappings: ShownMapping[];
  /** The folio in this process's model; null on the kernel's bus. Other processes have their own. */
  folio: { order: number; references: number; isMapped: boolean; isPoisoned: boolean } | null;
}

export interface FileView {
  path: string;
  ino: number;
  size: number;
  capacity: number;
  type: 'simple' | 'interleaved';
  chunkSize: number | null;
  extents: { devindex: number; offset: number; length: number }[];
}

export interface TreeItem {
  name: string;
  path: string;
  type: 'file' | 'directory' | 'symlink';
  size: number;
  mode: number;
  extents: number;
  capacity: number;
}

export interface TreeView {
  path: string;
  items: TreeItem[];
  /** How many names the directory has. */
  total: number;
}

export interface LogItem {
  index: number;
  kind: string;
  path: string;
  size: number;
  extents: number;
  isRemoved: boolean;
}

export interface VolumeView {
  device: string;
  uuid: string;
  owner: string;
  role: 'master' | 'client';
  allocUnit: number;
  logBytes: number;
  space: {
    size: number;
    used: number;
    free: number;
    metadata: number;
    fileBytes: number;
    lostToRounding: number;
    reserved: number;
    reclaimable: number;
    files: number;
    directories: number;
    logSlots: number;
    logUsed: number;
    annexRecords: number;
  };
  fragments: { longestFree: number; freeRuns: number; filesInPieces: number };
  problems: { code: string; message: string }[];
  holders: ShownHolder[];
}

export interface FsckView {
  ok: boolean;
  errors: { code: string; message: string }[];
  notes: { code: string; message: string }[];
  milliseconds: number;
}

/** A committed object of an arena. */
export interface ArenaObject {
  name: string;
  /** Bytes, and where they begin in the file. */
  size: number;
  position: number;
  host: number;
  /** Slot and generation. */
  reference: string;
  pins: number;
  /** Commits of its host count up: the higher, the younger. */
  sequence: number;
  expires: number | null;
}

export interface ArenaView {
  path: string;
  objects: ArenaObject[];
  isCut: boolean;
  heap: number;
  used: number;
  reserved: number;
  limbo: number;
  free: number;
  slots: number;
  eviction: string;
  members: { host: number; pid: number; command: string; pins: number }[];
}

export type EventLayer = 'machine' | 'holders' | 'volume' | 'process';

export interface ShownEvent {
  seq: number;
  at: number;
  layer: EventLayer;
  /** One word: create, mode, attach, map... */
  what: string;
  /** The device or path that it is about. */
  subject: string;
  text: string;
}

/** Counters at one moment, by the names of docs/metrics.md with their labels. */
export interface CounterSample {
  at: number;
  values: Record<string, number>;
}

/** One message of the live stream. */
export type LiveMessage =
  | { type: 'hello' }
  | { type: 'events'; events: ShownEvent[] }
  | { type: 'bus' }
  | { type: 'volume'; device: string }
  | { type: 'sample'; sample: CounterSample };

export interface TourSummary {
  mutant: string;
  about: string;
  invariant: string;
  scope: string;
}

export interface TourStep {
  event: string;
  isSetup: boolean;
  errno: string | null;
  violations: { invariant: string; text: string }[];
  drivers: Record<string, string | null>;
}

/** The shortest way to see a bug, and the same events without it. */
export interface TourView extends TourSummary {
  steps: TourStep[];
  sound: TourStep[];
  /** What the search cost; null for events that somebody wrote. */
  found: { states: number; milliseconds: number } | null;
}
