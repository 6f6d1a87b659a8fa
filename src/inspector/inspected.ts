/** What is inspected: a machine, its volumes as they were last looked at, and what happens on it. */
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
/** The bus is looked at every third time. */
const BUS_EVERY = 3;
const SAMPLE_MS = 1000;

export interface InspectedOptions {
  /** Why nothing may be changed; null when it may. */
  readOnly: string | null;
  /** The mounts of this host. */
  mounts: () => Promise<ShownMount[]>;
  /** Told when a look failed: the machine's directory is gone, for example. The next look comes all the same. */
  failed: (error: unknown) => void;
}

export class Inspected {
  readonly log = new EventLog();
  readonly volumes: LookedVolumes;
  readonly counters = new Counters();
  readonly tours = new Tours();
  readonly readOnly: string | null;
  readonly mounts: () => Promise<ShownMount[]>;
  readonly #failed: (error: unknown) => void;
  readonly #watcher: Watcher;
  readonly #endChannels: () => void;
  #timer: NodeJS.Timeout | undefined;
  #looks = 0;
  #sampledAt = 0;

  /** Follows the machine until close(), which leaves the machine open. */
  constructor(
    readonly machine: AnyMachine,
    { readOnly, mounts, failed }: InspectedOptions,
  ) {
    this.readOnly = readOnly;
    this.mounts = mounts;
    this.#failed = failed;
    this.volumes = new LookedVolumes(machine);
    this.#watcher = new Watcher(machine, this.volumes, this.log);
    this.#endChannels = followChannels(this.log);
    this.#later();
  }

  /** Looks now: after a change of our own, and when a page comes. From then on the clock goes as fast as the pages want it. */
  look(): void {
    clearTimeout(this.#timer);
    try {
      this.#watcher.lookAtVolumes();
      if (this.#looks++ % BUS_EVERY === 0 || this.log.listeners === 0) this.#watcher.lookAtBus();
      if (performance.now() - this.#sampledAt >= SAMPLE_MS) this.#sample();
    } catch (error) {
      this.#failed(error);
    }
    this.log.flush();
    this.#later();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#endChannels();
    this.volumes.close();
  }

  #sample(): void {
    this.#sampledAt = performance.now();
    const sample = this.counters.sample(this.machine, this.volumes, this.log.seq);
    this.log.tell({ type: 'sample', sample });
  }

  #later(): void {
    this.#timer = setTimeout(() => this.look(), this.log.listeners > 0 ? LOOK_MS : IDLE_LOOK_MS);
  }
}
