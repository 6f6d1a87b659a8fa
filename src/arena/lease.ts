import fs from 'node:fs';
import { fail, hasCode } from '../libc/index.js';
import { CONTROL, PART_STATE } from './layout.js';
import type { ArenaMemory } from './memory.js';

/**
 * How long a store needs to be seen by another host that drops its lines first, generously. Whoever writes its name into a part waits this
 * long and looks whether it is still there: of two that write at once, one sees the other's (Fischer's rule).
 */
const CLAIM_MS = 10;
const POLL_MS = 20;
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const sleep = (ms: number) => void Atomics.wait(sleeper, 0, 0, ms);

/** The identity of this host: the boot of its kernel. After a reboot it is another host, and VMs with one system uuid are two. */
export function bootId(): Uint32Array {
  const text = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').replaceAll('-', '');
  const bytes = Buffer.from(text.slice(0, 32), 'hex');
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 16));
}

/**
 * The lease of a host on its part of an arena. The owner counts its heartbeat up; only a part whose heartbeat has stood still for a whole
 * lease may be taken over. Taking over counts the epoch up. An owner that slept finds another name or epoch there and stops (ESTALE).
 * No clocks are compared: who waits, waits by its own.
 */
export class Lease {
  readonly #memory: ArenaMemory;
  readonly #words: Uint32Array;
  readonly #self: Uint32Array;
  #part = -1;
  #control = 0;
  #epoch = 0;
  #nextBeat = 0;
  /** Since when the heartbeat of each part stands still, by our clock. */
  readonly #seen: { beat: number; since: number }[] = [];

  constructor(memory: ArenaMemory, self: Uint32Array) {
    this.#memory = memory;
    this.#words = memory.words;
    this.#self = self;
  }

  get part(): number {
    return this.#part;
  }

  /** The part that this host owns already, -1 when there is none. */
  ownPart(): number {
    for (let part = 0; part < this.#memory.geometry.hosts; part++) if (this.#isOurs(part)) return part;
    return -1;
  }

  /** A part that nobody owns, or whose owner's lease has lapsed (this takes up to a lease and a half); -1 when all owners live. */
  freePart(): number {
    const { hosts, leaseMs } = this.#memory.geometry;
    const parts = Array.from({ length: hosts }, (_, part) => part);
    const free = parts.find((part) => this.#stateOf(part) !== PART_STATE.owned);
    if (free !== undefined) return free;
    // From the first look on: that one may be slow, and each part is to be watched for as long.
    this.watch();
    const deadline = performance.now() + leaseMs * 1.5;
    for (;;) {
      const lapsed = parts.find((part) => this.hasLapsed(part));
      if (lapsed !== undefined) return lapsed;
      if (performance.now() >= deadline) return -1;
      sleep(Math.min(POLL_MS, leaseMs / 8));
      this.watch();
    }
  }

  /** Notes which heartbeats go on. hasLapsed() knows only what was watched. */
  watch(): void {
    const now = performance.now();
    for (let part = 0; part < this.#memory.geometry.hosts; part++) {
      const control = this.#fetch(part);
      const beat = Atomics.load(this.#words, control + CONTROL.heartbeat);
      if (this.#seen[part]?.beat !== beat) this.#seen[part] = { beat, since: now };
    }
  }

  hasLapsed(part: number): boolean {
    const seen = this.#seen[part];
    return seen !== undefined && performance.now() - seen.since > this.#memory.geometry.leaseMs * 1.25;
  }

  /**
   * Takes a part that nobody owns or whose lease has lapsed. The caller has the writers' lock of the part among this host's processes.
   * @returns false when another host was faster, or the owner lives after all
   */
  claim(part: number): boolean {
    const control = this.#fetch(part);
    const words = this.#words;
    const before = words.slice(control, control + CONTROL.state + 1);
    const beat = words[control + CONTROL.heartbeat];
    words.set(this.#self, control + CONTROL.owner);
    words[control + CONTROL.epoch] = before[CONTROL.epoch]! + 1;
    Atomics.store(words, control + CONTROL.state, PART_STATE.owned);
    this.#memory.writeBack(control, 16);
    sleep(CLAIM_MS);
    this.#fetch(part);
    if (!this.#isOurs(part)) return false;
    if (words[control + CONTROL.heartbeat] !== beat) {
      // The owner looked at its name before we wrote ours, and goes on.
      words.set(before, control);
      this.#memory.writeBack(control, 16);
      return false;
    }
    this.hold(part);
    return true;
  }

  /** Goes on as the owner of a part that is this host's. */
  hold(part: number): void {
    this.#part = part;
    this.#control = this.#memory.partWord(part);
    this.#epoch = this.#words[this.#control + CONTROL.epoch]!;
    this.#beat();
  }

  /**
   * Takes the name of a lapsed owner out of its part: its pins are void then. What it committed stays readable.
   * @returns false when the owner lives after all
   */
  evictOwner(part: number): boolean {
    // What was seen last may be older than the beats of a host that took the part meanwhile.
    this.watch();
    if (!this.hasLapsed(part)) return false;
    const control = this.#fetch(part);
    const words = this.#words;
    const before = words.slice(control, control + CONTROL.state + 1);
    const beat = words[control + CONTROL.heartbeat];
    Atomics.store(words, control + CONTROL.state, PART_STATE.released);
    this.#memory.writeBack(control, 16);
    sleep(CLAIM_MS);
    this.#fetch(part);
    if (words[control + CONTROL.heartbeat] === beat) return true;
    // The owner lives, or another host took the part meanwhile: whose name is there has it.
    const isTaken = before.some((word, i) => i !== CONTROL.state && words[control + i] !== word);
    if (isTaken) Atomics.store(words, control + CONTROL.state, PART_STATE.owned);
    else words.set(before, control);
    this.#memory.writeBack(control, 16);
    return isTaken;
  }

  /** Whether the part is ours as far as our caches tell: two loads, for each call. */
  get isHeld(): boolean {
    const words = this.#words;
    return (
      words[this.#control + CONTROL.epoch] === this.#epoch &&
      words[this.#control + CONTROL.state] === PART_STATE.owned
    );
  }

  /** Checks that the part is still ours, before anything is stored. @throws DaxError ESTALE */
  check(): void {
    const words = this.#words;
    const control = this.#control;
    const now = performance.now();
    if (now >= this.#nextBeat) this.#beat();
    this.#memory.refetch(control, 16);
    if (words[control + CONTROL.epoch] === this.#epoch && this.#isOurs(this.#part)) return;
    const { path } = this.#memory.file;
    fail(
      'ESTALE',
      `this host's lease on the arena ${path} lapsed and its part was taken over: nothing was committed; open the arena again`,
      { path },
    );
  }

  /** Counts the heartbeat up when it is due. @returns false when the part is ours no longer */
  tick(): boolean {
    try {
      this.check();
      return true;
    } catch (error) {
      if (hasCode(error, 'ESTALE')) return false;
      throw error;
    }
  }

  /** Lets the next host take the part at once. The last member of this host calls it. */
  release(): void {
    if (!this.#isOurs(this.#part)) return;
    Atomics.store(this.#words, this.#control + CONTROL.state, PART_STATE.released);
    this.#memory.writeBack(this.#control, 16);
  }

  /** The boot ids of the owners, for messages. */
  ownersText(): string {
    const { hosts } = this.#memory.geometry;
    return Array.from({ length: hosts }, (_, part) => {
      const control = this.#memory.partWord(part);
      const owner = this.#words.slice(control, control + 4);
      return `boot ${Buffer.from(owner.buffer).toString('hex')}`;
    }).join(', ');
  }

  #beat(): void {
    Atomics.add(this.#words, this.#control + CONTROL.heartbeat, 1);
    this.#memory.writeBack(this.#control + CONTROL.heartbeat, 1);
    this.#nextBeat = performance.now() + this.#memory.geometry.leaseMs / 5;
  }

  #stateOf(part: number): number {
    return this.#words[this.#fetch(part) + CONTROL.state]!;
  }

  /** First word of the control page, after its lines were fetched. */
  #fetch(part: number): number {
    const control = this.#memory.partWord(part);
    this.#memory.refetch(control, 32);
    return control;
  }

  #isOurs(part: number): boolean {
    const control = this.#memory.partWord(part);
    const words = this.#words;
    if (words[control + CONTROL.state] !== PART_STATE.owned) return false;
    for (let i = 0; i < 4; i++) if (words[control + i] !== this.#self[i]) return false;
    return true;
  }
}
