/** What is inspected: a machine, its volumes as they were last looked at, and what happens on it. */
import { isError } from '../libc/index.js';
import { Machine } from '../machine/index.js';
import { followChannels } from './events/channels.js';
import { EventLog } from './events/event-log.js';
import { Watcher } from './events/watcher.js';
import { Counters } from './views/counters.js';
import { type AnyMachine, LookedVolumes } from './views/looked.js';
import { Tours } from './views/tour.js';
import type { ShownMount } from './wire.js';

/** While a page looks, and while none does. */
const LOOK_MS = 100;
const IDLE_LOOK_MS = 1000;
/** The bus is looked at every third time; the kernel's, where holders are looked for in all of /proc, less often. */
const BUS_EVERY = 3;
const KERNEL_BUS_EVERY = 30;
const SAMPLE_MS = 1000;

export interface InspectedOptions {
  /** Why nothing may be changed; null when it may. */
  readOnly: string | null;
  /** The mounts of this host. */
  mounts: () => Promise<ShownMount[]>;
  /** What they count. */
  mountCounters: () => Promise<Record<string, number>>;
  /** Told when a look failed: the machine's directory is gone, for example. The next look comes all the same. */
  failed: (problem: string) => void;
}

export class Inspected {
  readonly log = new EventLog();
  readonly volumes: LookedVolumes;
  readonly counters = new Counters();
  readonly tours = new Tours();
  readonly readOnly: string | null;
  readonly mounts: () => Promise<ShownMount[]>;
  readonly #failed: (problem: string) => void;
  #problem = '';
  readonly #askMounts: () => Promise<Record<string, number>>;
  /** What the mounts answered last, and whether they are being asked. */
  #ofMounts: Record<string, number> = {};
  #isAsking = false;
  readonly #watcher: Watcher;
  /** How often each diagnostics channel of this process spoke. */
  readonly #channels = new Map<string, number>();
  readonly #endChannels: () => void;
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #sampledAt = 0;
  #isClosed = false;

  /** Follows the machine until close(), which leaves the machine open. */
  constructor(
    readonly machine: AnyMachine,
    { readOnly, mounts, mountCounters, failed }: InspectedOptions,
  ) {
    this.readOnly = readOnly;
    this.mounts = mounts;
    this.#askMounts = mountCounters;
    this.#failed = failed;
    this.volumes = new LookedVolumes(machine);
    this.#watcher = new Watcher(machine, this.volumes, this.log);
    this.#endChannels = followChannels(this.log, this.#channels);
    this.#later();
  }

  /** Looks now: after a change of our own, and when a page comes. From then on the clock goes as fast as the pages want it. */
  look(): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    try {
      this.#watcher.lookAtVolumes();
      const busEvery = this.machine instanceof Machine ? BUS_EVERY : KERNEL_BUS_EVERY;
      if (this.#looks++ % busEvery === 0) this.#watcher.lookAtBus();
      if (performance.now() - this.#sampledAt >= SAMPLE_MS) this.#sample();
      this.#problem = '';
    } catch (error) {
      this.#tell(error);
    }
    this.log.flush();
    this.#later();
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#endChannels();
    this.volumes.close();
  }

  /** Tells each reason once, not ten times a second. */
  #tell(error: unknown): void {
    const problem = isError(error) ? error.message : String(error);
    if (problem !== this.#problem) this.#failed(problem);
    this.#problem = problem;
  }

  #sample(): void {
    this.#sampledAt = performance.now();
    if (this.log.listeners > 0) void this.#lookAtMounts();
    const more: Record<string, number> = { ...this.#ofMounts };
    for (const [name, count] of this.#channels) more[`process_${name}_events`] = count;
    const sample = this.counters.sample(this.machine, this.volumes, more);
    this.log.tell({ type: 'sample', sample });
  }

  /** The next sample has what they answer. */
  async #lookAtMounts(): Promise<void> {
    if (this.#isAsking) return;
    this.#isAsking = true;
    try {
      this.#ofMounts = await this.#askMounts();
    } catch (error) {
      this.#tell(error);
    } finally {
      this.#isAsking = false;
    }
  }

  #later(): void {
    this.#timer = setTimeout(() => this.look(), this.log.listeners > 0 ? LOOK_MS : IDLE_LOOK_MS);
  }
}
