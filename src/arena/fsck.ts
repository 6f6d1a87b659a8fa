/** Checks an arena: its header, and in each part slots, index, heap and counts against each other. It follows nothing out of bounds. */

import type { Volume } from '../famfs/index.js';
import { aVolume } from '../famfs/pcq/open.js';
import {
  checkArguments,
  flag,
  hasCode,
  loadU64,
  optional,
  text,
  options as wantedOptions,
} from '../libc/index.js';
import { BLOCK, BUCKET, CONTROL, KIND, KIND_MASK, PART_STATE, SLOT } from './layout.js';
import { ArenaMemory } from './memory.js';
import { geometryOf, hostId, openArena } from './open.js';
import { checkOf } from './own-part.js';

/** How fsckArena() checks. */
export interface FsckArenaOptions {
  /** Builds lists, counts, heap and index of this host's part anew, and frees what the dead left. Slots that are damaged are lost. */
  repair?: boolean;
  /** As openArena(). */
  host?: string;
}

/** Something that is not as it should be in an arena. */
export interface ArenaProblem {
  code: string;
  message: string;
  /** A note: what a killed writer leaves, and the next one mends by itself. */
  isNote: boolean;
}

/** What fsckArena() found. */
export interface ArenaReport {
  path: string;
  ok: boolean;
  problems: ArenaProblem[];
  objects: number;
  /** Bytes of the heap that no slot has and no free list names. 0 in a sound arena. */
  leaked: number;
}

const MOST_PROBLEMS = 100;
const checkOptions = optional(wantedOptions({ repair: optional(flag), host: optional(text) }));

/**
 * Checks an arena; it stores nothing, but for `repair`. In an arena that is in use meanwhile it may report what is only under way.
 * Counts, lists and the heap of a part are not written back: where stores need that (persistent memory, caches that are not coherent) only
 * the host that has the part can check them. Whoever takes it builds them anew.
 * @throws DaxError ENOENT; EINVAL no arena; EOPNOTSUPP; with repair as openArena()
 */
export function fsckArena(volume: Volume, path: string, options: FsckArenaOptions = {}): ArenaReport {
  checkArguments('fsckArena', [volume, path, options], {
    volume: aVolume,
    path: text,
    options: checkOptions,
  });
  if (options.repair) {
    const arena = openArena(volume, path, options.host === undefined ? {} : { host: options.host });
    try {
      arena.rebuild();
    } finally {
      arena.close();
    }
  }
  const file = volume.open(path, { writable: false });
  try {
    const report: ArenaReport = { path: file.path, ok: true, problems: [], objects: 0, leaked: 0 };
    try {
      const memory = new ArenaMemory(file, geometryOf(file), false);
      for (let part = 0; part < memory.geometry.hosts; part++)
        new PartCheck(memory, part, report, hostId(options.host)).run();
    } catch (error) {
      if (!hasCode(error, 'EBADMSG')) throw error;
      report.problems.push({ code: 'header', message: (error as Error).message, isNote: false });
    }
    report.ok = report.problems.every(({ isNote }) => isNote);
    return report;
  } finally {
    file.close();
  }
}

interface Piece {
  slot: number;
  unit: number;
  units: number;
}

class PartCheck {
  readonly #memory: ArenaMemory;
  readonly #words: Uint32Array;
  readonly #part: number;
  readonly #control: number;
  readonly #report: ArenaReport;
  readonly #found = new Set<number>();
  /** Whether counts, lists and the heap cannot be judged: a writer is at work, or they are in another host's caches. */
  readonly #isHalf: boolean;

  constructor(memory: ArenaMemory, part: number, report: ArenaReport, host: Uint32Array) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#part = part;
    this.#control = memory.partWord(part);
    this.#report = report;
    memory.refetch(this.#control, memory.geometry.partWords);
    const isOurs = host.every((word, i) => this.#words[this.#control + CONTROL.owner + i] === word);
    const isElsewhere =
      (memory.file.needsWriteBack || memory.refetches) &&
      !(isOurs && this.#read('state') === PART_STATE.owned);
    this.#isHalf = isElsewhere || this.#read('dirty') !== 0;
  }

  run(): void {
    if (this.#read('state') === PART_STATE.never) return;
    if (this.#read('dirty') !== 0) this.#problem('dirty', 'a writer died in the middle, or is at work', true);
    const pieces = this.#slots();
    this.#checkIndex();
    if (!this.#isHalf) this.#checkHeap(pieces);
  }

  #read(name: keyof typeof CONTROL): number {
    return this.#words[this.#control + CONTROL[name]]!;
  }

  #problem(code: string, message: string, isNote = false): void {
    if (this.#report.problems.length < MOST_PROBLEMS)
      this.#report.problems.push({ code, message: `part ${this.#part}: ${message}`, isNote });
  }

  #word(slot: number): number {
    return this.#memory.slotWord(this.#part * this.#memory.geometry.slotsPerHost + slot);
  }

  /** Checks each slot for itself, and the counts. @returns the pieces of the heap that slots have */
  #slots(): Piece[] {
    const { slotsPerHost } = this.#memory.geometry;
    const counts = new Map<number, number>();
    const pieces: Piece[] = [];
    let used = 0;
    for (let slot = 0; slot < slotsPerHost; slot++) {
      const kind = this.#words[this.#word(slot)]! & KIND_MASK;
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
      if (kind === KIND.free) continue;
      const piece = this.#slot(slot, kind);
      if (piece !== undefined && piece.units > 0) pieces.push(piece);
      if (kind === KIND.committed) used += piece?.units ?? 0;
    }
    this.#report.objects += counts.get(KIND.committed) ?? 0;
    if (this.#isHalf) return pieces;
    const compare = (name: keyof typeof CONTROL, value: number) => {
      if (this.#read(name) !== value)
        this.#problem('count', `${name} is ${this.#read(name)}, and ${value} are there`);
    };
    compare('committed', counts.get(KIND.committed) ?? 0);
    compare('reserved', counts.get(KIND.reserved) ?? 0);
    compare('limbo', counts.get(KIND.dead) ?? 0);
    compare('tombstones', counts.get(KIND.tombstone) ?? 0);
    compare('usedUnits', used);
    return pieces;
  }

  #slot(slot: number, kind: number): Piece | undefined {
    const words = this.#words;
    const word = this.#word(slot);
    const { geometry } = this.#memory;
    if (kind > KIND.tombstone) {
      this.#problem('slot', `slot ${slot} has state ${kind}, which there is not`);
      return undefined;
    }
    const keyBytes = words[word + SLOT.keyBytes]!;
    if (keyBytes < 1 || keyBytes > geometry.maxKeyBytes)
      this.#problem('slot', `slot ${slot} has a key of ${keyBytes} bytes`);
    const isWhole = kind === KIND.committed || kind === KIND.tombstone;
    if (isWhole && words[word + SLOT.check] !== checkOf(words, word))
      this.#problem('slot-check', `slot ${slot} does not match its check`);
    if (kind === KIND.tombstone) return undefined;
    const length = loadU64(words, word + SLOT.lengthLow);
    const units = Math.ceil(length / geometry.alignBytes);
    const unit = words[word + SLOT.unit]!;
    if (units < 1 || unit + units > geometry.unitsPerHost) {
      this.#problem(
        'slot-bounds',
        `slot ${slot} has ${length} bytes at unit ${unit} of ${geometry.unitsPerHost}`,
      );
      return undefined;
    }
    return { slot, unit, units };
  }

  /** Each entry names a committed slot that a lookup finds there; each committed slot has one. */
  #checkIndex(): void {
    const { geometry } = this.#memory;
    const first = this.#control + geometry.indexWord;
    const passed = new Uint32Array(geometry.bucketsPerHost);
    for (let bucket = 0; bucket < geometry.bucketsPerHost; bucket++) {
      for (let i = 0; i < BUCKET.size; i++) {
        const entry = this.#words[first + bucket * BUCKET.words + BUCKET.entries + i]!;
        if (entry !== 0)
          this.#entry(
            bucket,
            this.#words[first + bucket * BUCKET.words + BUCKET.tags + i]!,
            entry - 1,
            passed,
          );
      }
    }
    for (let bucket = 0; bucket < geometry.bucketsPerHost; bucket++) {
      const overflow = this.#words[first + bucket * BUCKET.words + BUCKET.overflow]!;
      if (overflow < passed[bucket]!)
        this.#problem(
          'index',
          `bucket ${bucket} hides ${passed[bucket]} entries behind it and says ${overflow}`,
        );
    }
    for (let slot = 0; slot < geometry.slotsPerHost; slot++) {
      const kind = this.#words[this.#word(slot)]! & KIND_MASK;
      if ((kind === KIND.committed || kind === KIND.tombstone) && !this.#found.has(slot))
        this.#problem('index', `no entry names slot ${slot}`, this.#isHalf);
    }
  }

  #entry(bucket: number, tag: number, slot: number, passed: Uint32Array): void {
    const { slotsPerHost, bucketsPerHost } = this.#memory.geometry;
    if (slot >= slotsPerHost) {
      this.#problem('index', `bucket ${bucket} names slot ${slot} of ${slotsPerHost}`);
      return;
    }
    const word = this.#word(slot);
    const kind = this.#words[word]! & KIND_MASK;
    if (kind !== KIND.committed && kind !== KIND.tombstone)
      this.#problem('index', `bucket ${bucket} names slot ${slot}, which is not committed`, this.#isHalf);
    else if (this.#words[word + SLOT.hashB] !== tag)
      this.#problem('index', `bucket ${bucket} has another tag than slot ${slot}`);
    if (this.#found.has(slot)) this.#problem('index', `two entries name slot ${slot}`);
    this.#found.add(slot);
    const mask = bucketsPerHost - 1;
    for (let at = this.#words[word + SLOT.hashA]! & mask; at !== bucket; at = (at + 1) & mask) passed[at]!++;
  }

  /** The pieces tile the heap; those in use are those that the slots have. */
  #checkHeap(pieces: Piece[]): void {
    const words = this.#words;
    const { geometry } = this.#memory;
    const blocks = this.#control + geometry.blockWord - BLOCK.words;
    const bySlot = new Map(pieces.map((piece) => [piece.slot, piece]));
    let end = 0;
    let inUse = 0;
    const high = Math.min(this.#read('blockHigh'), geometry.blocksPerHost);
    const starts = new Map<number, number>();
    for (let block = 1; block <= high; block++)
      if (words[blocks + block * BLOCK.words + BLOCK.units] !== 0)
        starts.set(words[blocks + block * BLOCK.words + BLOCK.unit]!, block);
    while (end < geometry.unitsPerHost) {
      const block = starts.get(end);
      if (block === undefined) break;
      const at = blocks + block * BLOCK.words;
      const owner = words[at + BLOCK.slot]! - 1;
      const units = words[at + BLOCK.units]!;
      if (owner >= 0) {
        const piece = bySlot.get(owner);
        if (piece?.unit !== end || piece.units !== units)
          this.#problem('heap', `the piece at unit ${end} belongs to slot ${owner}, which has another`);
        inUse++;
      }
      end += units;
    }
    if (end !== geometry.unitsPerHost) {
      this.#problem('heap', `its pieces end at unit ${end} of ${geometry.unitsPerHost}`);
      this.#report.leaked += Math.max(0, geometry.unitsPerHost - end) * geometry.alignBytes;
    }
    if (inUse !== pieces.length)
      this.#problem('heap', `${inUse} pieces are in use, and ${pieces.length} slots have one`);
    this.#overlaps(pieces);
  }

  #overlaps(pieces: Piece[]): void {
    pieces.sort((a, b) => a.unit - b.unit);
    for (let i = 1; i < pieces.length; i++) {
      const [before, piece] = [pieces[i - 1]!, pieces[i]!];
      if (before.unit + before.units > piece.unit)
        this.#problem('overlap', `slots ${before.slot} and ${piece.slot} overlap`);
    }
  }
}
